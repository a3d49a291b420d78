package relay

import (
	"errors"
	"fmt"
	"os"
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
}

// OpenPTY makes a pseudo-terminal, mode 0600.
func OpenPTY() (*PTY, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("pty: %w", err)
	}
	p := &PTY{master: master, slave: slave.Name()}
	// The first closing is what has the kernel tell that nobody is there.
	slave.Close()
	err = os.Chmod(p.slave, 0o600)
	if err == nil {
		err = p.reset(0)
	}
	if err != nil {
		master.Close()
		return nil, fmt.Errorf("pty: %w", err)
	}
	return p, nil
}

// Name is the path that programs open.
func (p *PTY) Name() string { return p.slave }

func (p *PTY) path() string { return p.slave }

func (p *PTY) kind() string { return "pty" }

func (p *PTY) conn() *os.File { return p.master }

// present tells whether a program has the terminal open.
func (p *PTY) present() bool {
	return polled(p.master)&unix.POLLHUP == 0
}

func (p *PTY) origin(j *journal.Journal) int64 {
	if p.opened.IsZero() {
		p.opened = time.Now()
	}
	return bootStart(j)
}

func (p *PTY) Write(data []byte) (int, error) { return p.master.Write(data) }

// typed hands on what the program writes. In packet mode (ioctl_tty(2),
// TIOCPKT) each read begins with a byte that tells what the program has done.
func (p *PTY) typed(hand func([]byte) error) (over bool) {
	for {
		data := make([]byte, 1+inputWhole)
		n, err := p.master.Read(data)
		switch {
		case err != nil:
			return true
		case n > 1 && data[0] == unix.TIOCPKT_DATA:
			if hand(data[1:n]) != nil {
				return true
			}
		case n == 1 && data[0]&unix.TIOCPKT_FLUSHREAD != 0 && time.Since(p.opened) < flushGrace:
			return true // the visit begins again
		}
	}
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
