package attach

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/follow"
	"microvm-console/internal/testsupport/programtest"
)

func TestMain(m *testing.M) {
	programtest.Main(m, App("connect-serial", "ttyS0", "serial"), panicking())
}

func TestInteractive(t *testing.T) {
	guest, _ := machine(t, "\x1bc\x1b[?7lLinux version 6.1\r\n\x1b]0;evil\a/ # \x1b[6n")
	s := newScreen(t, false)
	ended := s.start(Options{})
	s.await("/ # ")
	s.wantRaw()
	if strings.Contains(s.String(), "\x1b[6n") || strings.Contains(s.String(), "evil") {
		t.Errorf("the screen was shown %q", s.String())
	}
	guest.print("\x1b[6n")
	s.await("\x1b[6n")
	s.press("\x1b[5;5R")
	s.press("uname -r\r\x03")
	guest.awaitTyped(t, "\x1b[5;5Runame -r\r\x03")
	guest.print("\x1b[?1049hvi")
	s.await("vi")
	s.press("lost\x1d")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
	s.wantRestored()
	s.await(always + wrap + "\x1b[?1049l\r\n[left demo]\r\n")
	if !strings.HasPrefix(s.String(), "[serial of demo: Ctrl-] leaves]\r\n") {
		t.Errorf("it begins with %q", s.String())
	}
	if guest.asked.Client == "" || !guest.asked.Terminal {
		t.Errorf("asked for %+v", guest.asked)
	}
}

func TestInteractiveOptions(t *testing.T) {
	for _, row := range []struct {
		name    string
		options Options
		shown   string
		keys    string // the last one ends the session
		typed   string
	}{
		{"another escape key", Options{Escape: 1}, "\r\n# ", "\x1d\x01", "\x1d"},
		{"read-only asks the terminal nothing", Options{ReadOnly: true}, "\r\n# ", "ls\r\x1d", ""},
		{"an earlier boot is only read", Options{Boot: -1}, "\r\n# ", "ls\r\x1d", ""},
		{"raw", Options{Raw: true}, "\r\n\x1b]0;t\a# \x1b[6n", "\x1d", ""},
		{"dim notices", Options{Color: true}, "leaves]\x1b[0m\r\n\r\n# ", "\x1d", ""},
		{"keys after the escape key", Options{}, "\r\n# ", "ls\r\x1dpwd\r\x1d", "ls\r"},
	} {
		t.Run(row.name, func(t *testing.T) {
			guest, _ := machine(t, "")
			s := newScreen(t, false)
			ended := s.start(row.options)
			s.await("leaves]")
			guest.await(t, "a stream", func() bool { return guest.streams > 0 })
			guest.print("\r\n\x1b]0;t\a# \x1b[6n")
			s.await(row.shown)
			if questions := !row.options.ReadOnly && row.options.Boot == 0; !questions && strings.Contains(s.String(), "\x1b[6n") {
				t.Errorf("the terminal was asked: %q", s.String())
			}
			s.press(row.keys)
			if err := result(t, ended); err != nil {
				t.Error(err)
			}
			s.wantRestored()
			guest.mu.Lock()
			defer guest.mu.Unlock()
			if !strings.HasPrefix(row.typed, string(guest.typed)) {
				t.Errorf("typed %q, want %q", guest.typed, row.typed)
			}
		})
	}
}

func TestInteractiveDeafGuest(t *testing.T) {
	guest, _ := machine(t, "# ")
	guest.deaf = true
	s := newScreen(t, false)
	ended := s.start(Options{})
	s.await("# ")
	for range 3 * typedAhead {
		s.press("x")
	}
	s.press("\x1d")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
	s.wantRestored()
}

func TestInteractiveEnd(t *testing.T) {
	guest, _ := machine(t, "# ")
	s := newScreen(t, false)
	ended := s.start(Options{Once: true})
	s.await("# ")
	guest.end()
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
	s.await("\r\n[demo has ended]\r\n")
	s.wantRestored()
}

func TestInteractiveOwnerGone(t *testing.T) {
	_, owner := machine(t, "# ")
	s := newScreen(t, false)
	ended := s.start(Options{Once: true})
	s.await("# ")
	owner.stop()
	if err := result(t, ended); !errors.Is(err, follow.ErrLost) {
		t.Errorf("it ended with %v", err)
	}
	s.await("\r\n[connection to demo lost]\r\n")
	s.wantRestored()
}

func TestInteractiveLeftWhileLost(t *testing.T) {
	_, owner := machine(t, "# ")
	s := newScreen(t, false)
	s.returnLimit = time.Hour // the key is pressed before that
	ended := s.start(Options{})
	s.await("# ")
	owner.stop()
	s.await("lost]")
	s.press("\x1d")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
	s.wantRestored()
}

func TestInteractiveStuckTerminal(t *testing.T) {
	machine(t, strings.Repeat("x", 1<<20))
	s := newScreen(t, true)
	ended := s.start(Options{})
	s.awaitFull()
	s.wantRaw()
	s.press("\x1d")
	if err := result(t, ended); !errors.Is(err, errStuck) {
		t.Errorf("it ended with %v", err)
	}
	s.wantRestored()
	go s.read() // ends the blocked write
}

// An answer of the terminal that comes after the user has left is dropped.
func TestInteractiveLateAnswer(t *testing.T) {
	guest, _ := machine(t, "")
	s := newScreen(t, false)
	ended := s.start(Options{})
	guest.await(t, "a stream", func() bool { return guest.streams > 0 })
	guest.print("# \x1b[6n")
	s.await("\x1b[6n")
	s.press("\x1d")
	s.await("left demo")
	s.press("\x1b[24;80R")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
	s.wantRestored()
	poll := []unix.PollFd{{Fd: int32(s.tty.Fd()), Events: unix.POLLIN}}
	if n, _ := unix.Poll(poll, 0); n != 0 {
		t.Error("the shell would read the answer")
	}
}
