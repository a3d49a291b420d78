package endpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/openers"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
)

// flushGrace is how long after opening the terminal a program may flush its input while
// it sets up the line. If it does, it is sent the boot from the start again.
const flushGrace = 2 * time.Second

// PTY is an endpoint that programs open like a serial port: a raw pseudo-terminal that
// survives hang-ups.
type PTY struct {
	master *os.File
	slave  string
	links  [][2]string // each link and its target, from the terminal to the public name
	since  time.Time   // when the client opened the terminal; zero if none has

	mu      sync.Mutex
	flushed bool // the client has to be sent the boot from the start again
}

// OpenPTY creates a pseudo-terminal, mode 0600, and a symbolic link to it. If via is not
// empty, link points to via and via to the terminal. The kernel reuses the name of a
// terminal that is gone; so via should be in a folder that is removed no matter how this
// process ends.
func OpenPTY(link, via string) (*PTY, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("pty: %w", err)
	}
	p := &PTY{master: master}
	if err := p.setUp(); err != nil {
		master.Close()
		return nil, fmt.Errorf("pty: %w", err)
	}
	p.links = [][2]string{{link, p.slave}}
	if via != "" {
		p.links = [][2]string{{via, p.slave}, {link, via}}
	}
	for _, l := range p.links {
		if err := rundir.Link(l[1], l[0]); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

// setUp prepares the slave; see pts(4) and ioctl_tty(2).
func (p *PTY) setUp() error {
	err := descriptor.Control(p.master, func(fd int) error {
		number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
		if err != nil {
			return os.NewSyscallError("TIOCGPTN", err)
		}
		p.slave = fmt.Sprintf("/dev/pts/%d", number)
		return os.NewSyscallError("TIOCSPTLCK", unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	})
	if err != nil {
		return err
	}
	if err := os.Chmod(p.slave, 0o600); err != nil {
		return err
	}
	return p.reset(context.Background(), 0) // opening and closing the slave makes the kernel report POLLHUP from now on
}

// InPlace reports whether the link still leads to the terminal.
func (p *PTY) InPlace() bool { return !slices.ContainsFunc(p.links, isForeign) }

// isForeign reports whether a link is missing or has another target.
func isForeign(link [2]string) bool {
	found, err := os.Readlink(link[0])
	return err != nil || found != link[1]
}

// Close closes the terminal and removes the links to it.
func (p *PTY) Close() {
	for _, link := range p.links {
		if isForeign(link) {
			break // what links to it belongs to another terminal too
		}
		_ = os.Remove(link[0]) // may have been removed already
	}
	p.master.Close()
}

// Serve serves the programs that open the terminal.
func (p *PTY) Serve(ctx context.Context, r *relay.Relay) error {
	defer p.Close()
	return serveFile(ctx, r, p)
}

func (p *PTY) info() relay.ClientInfo {
	return relay.ClientInfo{Name: p.slave, Kind: "pty", Reserved: true}
}

func (p *PTY) watch(events *openers.Watch) error { return events.Add(p.slave, opening) }

func (p *PTY) conn() *os.File { return p.master }

// present reports whether a program has the terminal open.
func (p *PTY) present(*relay.Relay) bool {
	return descriptor.Poll(p.master)&unix.POLLHUP == 0
}

func (p *PTY) origin(r *relay.Relay) int64 {
	p.flushed = false // set for the previous client
	if p.since.IsZero() {
		p.since = time.Now()
	}
	return r.BootStart()
}

// errFlushed is returned if the client has to be sent the boot from the start again.
var errFlushed = errors.New("pty: the program has flushed its input")

// Write writes to the program. It returns errFlushed if the program has just flushed
// earlier output.
func (p *PTY) Write(data []byte) (written int, err error) {
	raw, err := p.master.SyscallConn()
	if err != nil {
		return 0, err
	}
	ended := raw.Write(func(fd uintptr) bool {
		var n int
		n, err = p.writeSome(int(fd), data[written:])
		written += max(0, n)
		return err != nil && !errors.Is(err, unix.EAGAIN) || written == len(data)
	})
	return written, errors.Join(err, ended)
}

func (p *PTY) writeSome(fd int, data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if descriptor.Poll(p.master)&unix.POLLPRI != 0 && p.settingUp() {
		p.flushed = true // readSome is about to see it too
	}
	if p.flushed {
		return 0, errFlushed
	}
	return unix.Write(fd, data)
}

// settingUp reports whether the program has just opened the terminal.
func (p *PTY) settingUp() bool { return time.Since(p.since) < flushGrace }

// Read reads what the program writes. It returns errFlushed if the program has just
// flushed its input.
func (p *PTY) Read(data []byte) (n int, err error) {
	raw, err := p.master.SyscallConn()
	if err != nil {
		return 0, err
	}
	ended := raw.Read(func(fd uintptr) bool {
		n, err = p.readSome(int(fd), data)
		return !errors.Is(err, unix.EAGAIN)
	})
	return n, errors.Join(err, ended)
}

// readSome is Read without blocking. In packet mode (ioctl_tty(2), TIOCPKT) the first
// byte of each read is a control byte.
func (p *PTY) readSome(fd int, data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, err := unix.Read(fd, data)
	if err != nil || n == 0 {
		return 0, err
	}
	if data[0]&unix.TIOCPKT_FLUSHREAD != 0 && p.settingUp() {
		p.flushed = true
	}
	if p.flushed {
		return 0, errFlushed
	}
	return copy(data, data[1:n]), nil
}

// reset makes the terminal raw again and discards what the last program has not read.
// Packet mode is off meanwhile, so that the flush does not look like the program's.
func (p *PTY) reset(context.Context, int64) error {
	if !p.present(nil) {
		p.since = time.Time{}
	}
	slave, err := os.OpenFile(p.slave, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer slave.Close()
	if err := p.packetMode(0); err != nil {
		return err
	}
	err = descriptor.Control(slave, func(fd int) error {
		if err := unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH); err != nil {
			return os.NewSyscallError("TCFLSH", err)
		}
		_, err := term.MakeRaw(fd)
		return err
	})
	return errors.Join(err, p.packetMode(1))
}

func (p *PTY) packetMode(on int) error {
	return descriptor.Control(p.master, func(fd int) error {
		return os.NewSyscallError("TIOCPKT", unix.IoctlSetPointerInt(fd, unix.TIOCPKT, on))
	})
}
