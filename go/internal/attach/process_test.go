package attach

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"microvm-console/internal/follow"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// panicking is connect-serial with a bug: it panics when it writes "boom".
func panicking() *cli.App {
	return &cli.App{Name: "panicking", Action: func(c *cli.Context) error {
		o := Options{Program: "panicking", Place: follow.Place{Console: "ttyS0"}, From: "start"}
		s := newSession(o, os.Stdin, os.Stdout, os.Stderr)
		s.view.out.w = panicWriter{os.Stdout}
		return s.attach(c.Context)
	}}
}

// panicWriter panics when it writes "boom".
type panicWriter struct{ io.Writer }

func (w panicWriter) Write(data []byte) (int, error) {
	if string(data) == "boom" {
		panic("a mistake")
	}
	return w.Writer.Write(data)
}

// A process on a terminal restores it whatever ends the session.
func TestProcess(t *testing.T) {
	for _, row := range []struct {
		name    string
		program string
		end     func(*testing.T, *owner, *exec.Cmd)
		status  int
		shown   string
	}{
		{"SIGTERM", "connect-serial", sends(unix.SIGTERM), 1, "connect-serial: interrupted: "},
		{"SIGHUP", "connect-serial", sends(unix.SIGHUP), 1, "connect-serial: interrupted: "},
		{"SIGINT from outside", "connect-serial", sends(unix.SIGINT), 1, "connect-serial: interrupted: "},
		{"a panic", "panicking", func(_ *testing.T, o *owner, _ *exec.Cmd) { o.guest.print("boom") }, 2, "panic: a mistake"},
		{"the end of the VM", "connect-serial --once", func(_ *testing.T, o *owner, _ *exec.Cmd) { o.guest.end() }, 0, "[demo has ended]\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", "1")
			t.Setenv("GORACE", "atexit_sleep_ms=0")
			_, owner := machine(t, "\x1b[?7l# ")
			s := newScreen(t, false)
			words := strings.Fields(row.program)
			command := s.command(words[0], words[1:]...)
			s.await("# ")
			s.wantRaw()
			row.end(t, owner, command)
			err := command.Wait()
			status := 0
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				status = exit.ExitCode()
			}
			if status != row.status {
				t.Errorf("status %d, want %d", status, row.status)
			}
			s.await(row.shown)
			s.await(always + wrap)
			s.wantRestored()
		})
	}
}

func sends(signal unix.Signal) func(*testing.T, *owner, *exec.Cmd) {
	return func(t *testing.T, _ *owner, command *exec.Cmd) {
		if err := command.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
}
