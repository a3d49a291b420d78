package relay

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"microvm-console/internal/journal"
)

// flushGrace is how long after its opening a terminal program may still throw
// away what has come, while it sets up its line: then it gets the start again.
const flushGrace = 2 * time.Second

// PTY is an endpoint that programs open as a serial port: a pseudo-terminal, raw,
// that outlives every hang-up.
type PTY struct {
	master *os.File
	slave  string
	opened time.Time // when the visitor came; zero: nobody is there

	mu      sync.Mutex
	flushed bool // the visit begins again
}

// OpenPTY makes a pseudo-terminal, mode 0600.
func OpenPTY() (*PTY, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("pty: %w", err)
	}
	p := &PTY{slave: slave.Name()}
	// The first closing is what has the kernel tell that nobody is there.
	slave.Close()
	p.master, err = waitable(master)
	if err == nil {
		err = os.Chmod(p.slave, 0o600)
	}
	if err == nil {
		err = p.reset(0)
	}
	if err != nil {
		p.master.Close() // also where it is nil
		return nil, fmt.Errorf("pty: %w", err)
	}
	return p, nil
}

// waitable returns file, which it closes, in a form whose waiting can be ended.
func waitable(file *os.File) (*os.File, error) {
	defer file.Close()
	var again *os.File
	err := control(file, func(fd int) error {
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

// Name is the path that programs open.
func (p *PTY) Name() string { return p.slave }

func (p *PTY) path() string { return p.slave }

func (p *PTY) kind() string { return ptyKind }

// ptyKind is that of the terminal.
const ptyKind = "pty"

func (p *PTY) conn() *os.File { return p.master }

// present tells whether a program has the terminal open.
func (p *PTY) present() bool {
	return polled(p.master)&unix.POLLHUP == 0
}

func (p *PTY) origin(j *journal.Journal) int64 {
	p.flushed = false // of the visit before
	if p.opened.IsZero() {
		p.opened = time.Now()
	}
	return bootStart(j)
}

// errFlushed is why a visit begins again.
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
	if polled(p.master)&unix.POLLPRI != 0 && p.settingUp() {
		p.flushed = true // readSome is about to see it too
	}
	if p.flushed {
		return 0, errFlushed
	}
	return unix.Write(fd, data)
}

// settingUp tells whether the visitor has just come.
func (p *PTY) settingUp() bool { return time.Since(p.opened) < flushGrace }

// typed hands on what the program writes, until it has gone, or the visit begins
// again.
func (p *PTY) typed(guest io.Writer) (over bool) {
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
			_, err = guest.Write(data)
		}
		if ended != nil || err != nil {
			return true
		}
	}
}

// readSome reads what the program has written. In packet mode (ioctl_tty(2),
// TIOCPKT) each read begins with a byte that tells what it has done.
func (p *PTY) readSome(fd int) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	data := make([]byte, 1+inputWhole)
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
// read. Packet mode is switched off and on, or this would be told as its doing.
func (p *PTY) reset(int64) error {
	if !p.present() {
		p.opened = time.Time{}
	}
	slave, err := os.OpenFile(p.slave, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer slave.Close()
	if err := p.packetMode(0); err != nil {
		return err
	}
	err = control(slave, func(fd int) error {
		if err := unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH); err != nil {
			return os.NewSyscallError("TCFLSH", err)
		}
		return makeRaw(fd)
	})
	return errors.Join(err, p.packetMode(1))
}

func (p *PTY) packetMode(on int) error {
	return control(p.master, func(fd int) error {
		return os.NewSyscallError("TIOCPKT", unix.IoctlSetPointerInt(fd, unix.TIOCPKT, on))
	})
}

// makeRaw makes a terminal raw; see cfmakeraw(3).
func makeRaw(fd int) error {
	mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return os.NewSyscallError("TCGETS", err)
	}
	mode.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	mode.Oflag &^= unix.OPOST
	mode.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	mode.Cflag = mode.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
	return os.NewSyscallError("TCSETS", unix.IoctlSetTermios(fd, unix.TCSETS, mode))
}

// Close closes a PTY that no relay has got.
func (p *PTY) Close() error { return p.master.Close() }
