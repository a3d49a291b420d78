package endpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/openers"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
)

// flushGrace is how long after its opening a terminal program may still throw
// away what has come, while it sets up its line: then it gets the start again.
const flushGrace = 2 * time.Second

// PTY is an endpoint that programs open as a serial port: a pseudo-terminal, raw,
// that outlives every hang-up.
type PTY struct {
	master *os.File
	slave  string
	link   string    // to via
	via    string    // to slave, or slave itself
	since  time.Time // when the client came; zero: none is there

	mu      sync.Mutex
	flushed bool // the client gets the start again
}

// OpenPTY makes a pseudo-terminal, mode 0600, and a symbolic link to it: by way of another
// link, via, if that is not empty. The host gives the name of a terminal that has gone to
// another one; so via is in a folder that is removed however this process ends.
func OpenPTY(link, via string) (*PTY, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("pty: %w", err)
	}
	p := &PTY{slave: slave.Name(), link: link, via: cmp.Or(via, slave.Name())}
	// From the first closing on, the kernel reports that no program is there.
	slave.Close()
	p.master, err = waitable(master)
	if err == nil {
		err = os.Chmod(p.slave, 0o600)
	}
	if err == nil {
		err = p.reset(context.Background(), 0)
	}
	if err != nil {
		p.master.Close() // also if it is nil
		return nil, fmt.Errorf("pty: %w", err)
	}
	if p.via != p.slave {
		err = rundir.Link(p.slave, p.via)
	}
	if err == nil {
		err = rundir.Link(p.via, link)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// waitable returns file, which it closes, in a form whose waiting can be ended.
func waitable(file *os.File) (*os.File, error) {
	defer file.Close()
	var again *os.File
	err := descriptor.Control(file, func(fd int) error {
		own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("dup", err)
		}
		if err := unix.SetNonblock(own, true); err != nil {
			_ = unix.Close(own) // nothing was written
			return os.NewSyscallError("fcntl", err)
		}
		again = os.NewFile(uintptr(own), file.Name())
		return nil
	})
	return again, err
}

// InPlace reports whether the link still leads to the terminal.
func (p *PTY) InPlace() bool {
	return leadsTo(p.link, p.via) && (p.via == p.slave || leadsTo(p.via, p.slave))
}

func leadsTo(link, target string) bool {
	found, err := os.Readlink(link)
	return err == nil && found == target
}

// Serve serves the programs that open the terminal.
func (p *PTY) Serve(ctx context.Context, r *relay.Relay) error {
	defer p.Close()
	return serveFile(ctx, r, p)
}

// Close closes the terminal, and removes the links to it.
func (p *PTY) Close() {
	if p.via == p.slave || leadsTo(p.via, p.slave) { // else they are another terminal's
		if leadsTo(p.link, p.via) {
			_ = os.Remove(p.link) // it may just have been removed
		}
		if p.via != p.slave {
			_ = os.Remove(p.via)
		}
	}
	p.master.Close()
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
	p.flushed = false // of the client before
	if p.since.IsZero() {
		p.since = time.Now()
	}
	return r.BootStart()
}

// errFlushed is why a client gets the start again.
var errFlushed = errors.New("pty: the program has thrown away what had come")

// Write writes to the program, unless that has just thrown away what came before.
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

// settingUp reports whether the program has just come.
func (p *PTY) settingUp() bool { return time.Since(p.since) < flushGrace }

// typeInto types what the program writes, until it has gone, or gets the start again.
func (p *PTY) typeInto(typist io.Writer) (over bool) {
	raw, err := p.master.SyscallConn()
	if err != nil {
		return true
	}
	for {
		var data []byte
		ended := raw.Read(func(fd uintptr) bool {
			data, err = p.readSome(int(fd))
			return !errors.Is(err, unix.EAGAIN)
		})
		if ended == nil && err == nil && len(data) > 0 {
			_, err = typist.Write(data)
		}
		if ended != nil || err != nil {
			return true
		}
	}
}

// readSome reads what the program has written. In packet mode (ioctl_tty(2),
// TIOCPKT) each read begins with a byte that says what it has done.
func (p *PTY) readSome(fd int) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	data := make([]byte, 1+4096)
	n, err := unix.Read(fd, data)
	if err != nil || n == 0 {
		return nil, err
	}
	if data[0]&unix.TIOCPKT_FLUSHREAD != 0 && p.settingUp() {
		p.flushed = true
	}
	if p.flushed {
		return nil, errFlushed
	}
	return data[1:n], nil
}

// reset makes the terminal raw again, and drops what the last program has not
// read. Packet mode is switched off and on, or this would look as if the program did it.
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
