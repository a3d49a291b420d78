package attach

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// screen is a terminal and its user.
type screen struct {
	t      *testing.T
	user   *os.File // the side of the user
	tty    *os.File // the side of programs
	before unix.Termios
	// returnLimit is that of a session; see follow.Request.
	returnLimit time.Duration

	mu      sync.Mutex
	text    []byte
	changed chan struct{}
}

// newScreen opens a terminal. If it is stuck, it takes no output.
func newScreen(t *testing.T, stuck bool) *screen {
	t.Helper()
	user, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, user: user, tty: tty, returnLimit: 500 * time.Millisecond, changed: make(chan struct{})}
	s.before = s.termios()
	var reading sync.WaitGroup
	if !stuck {
		reading.Go(s.read)
	}
	t.Cleanup(func() {
		tty.Close()
		user.Close()
		reading.Wait()
	})
	return s
}

func (s *screen) read() {
	chunk := make([]byte, 4096)
	for {
		n, err := s.user.Read(chunk)
		s.mu.Lock()
		s.text = append(s.text, chunk[:n]...)
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// await waits until text is on the screen.
func (s *screen) await(text string) {
	s.t.Helper()
	s.awaitThat(strconv.Quote(text), func(shown string) bool { return strings.Contains(shown, text) })
}

// awaitThat waits until holds returns true for the text on the screen; what names that in
// the error.
func (s *screen) awaitThat(what string, holds func(shown string) bool) {
	s.t.Helper()
	late := time.After(10 * time.Second)
	for {
		s.mu.Lock()
		found, changed := holds(string(s.text)), s.changed
		s.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-late:
			s.t.Fatalf("%s: not within 10 s on a screen with %q", what, s.String())
		}
	}
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

// press types keys.
func (s *screen) press(keys string) {
	s.t.Helper()
	if _, err := s.user.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// control calls use with the descriptor of the side of programs. It does not call Fd, which
// would make reads of the file uninterruptible.
func (s *screen) control(use func(fd int)) {
	s.t.Helper()
	raw, err := s.tty.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { use(int(fd)) })
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) termios() (termios unix.Termios) {
	s.t.Helper()
	s.control(func(fd int) {
		now, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			s.t.Fatal(err)
		}
		termios = *now
	})
	return termios
}

// awaitFull waits until a stuck terminal is full.
func (s *screen) awaitFull() {
	s.t.Helper()
	for late := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		writable := 0
		s.control(func(fd int) {
			writable, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
		})
		switch {
		case writable == 0:
			return
		case time.Now().After(late):
			s.t.Fatal("the terminal is not full after 10 s")
		}
	}
}

func (s *screen) wantRaw() {
	s.t.Helper()
	if s.termios().Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 {
		s.t.Error("the terminal is not in raw mode")
	}
}

func (s *screen) wantRestored() {
	s.t.Helper()
	if diff := cmp.Diff(s.before, s.termios()); diff != "" {
		s.t.Errorf("the terminal is not as it was (-before +after):\n%s", diff)
	}
}

// start runs a session on the screen. ended receives its error.
func (s *screen) start(o Options) (ended chan error) {
	o.Program, o.Place.Console = "connect-serial", "ttyS0"
	if o.From == "" {
		o.From = "start"
	}
	session := newSession(o, s.tty, s.tty, s.t.Output())
	session.returnLimit = s.returnLimit
	ended = make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { ended <- session.attach(ctx) })
	// A session that outlives a failed test keeps the terminal open, and the clean-up of the
	// screen would wait for it.
	s.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return ended
}

// command starts a program on the screen, as a shell would.
func (s *screen) command(name string, args ...string) *exec.Cmd {
	s.t.Helper()
	command := exec.Command(name, args...)
	command.Stdin, command.Stdout, command.Stderr = s.tty, s.tty, s.tty
	command.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { command.Process.Kill() })
	return command
}

// result waits for the end of a session and returns its error.
func result(t *testing.T, ended chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the session has not ended within 10 s")
		return nil
	}
}
