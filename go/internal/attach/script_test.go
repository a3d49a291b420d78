package attach

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/dialog"
	"microvm-console/internal/follow"
	"microvm-console/internal/relay"
)

// startScript starts a script on the machine, with the flags of a command line.
func startScript(t *testing.T, o Options, args ...string) *piped {
	t.Helper()
	steps := parseSteps(t, args...)
	return startPiped(t, o, func(ctx context.Context, o Options, _, out *os.File, log io.Writer) error {
		return RunScript(ctx, o, steps, out, log)
	})
}

// parseSteps returns the steps of the flags of a command line.
func parseSteps(t *testing.T, args ...string) []dialog.Step {
	t.Helper()
	flags, set := new(dialog.Flags), flag.NewFlagSet("", flag.ContinueOnError)
	for _, one := range flags.Flags() {
		if err := one.Apply(set); err != nil {
			t.Fatal(err)
		}
	}
	err := set.Parse(args)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := flags.Steps()
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func TestScript(t *testing.T) {
	guest, _ := machine(t, "boot\r\nlogin: ")
	p := startScript(t, Options{}, "--expect", "login: ", "--send", "root", "--expect", "[$#] ", "--send", "reboot", "--send", `y\c`)
	io.WriteString(p.in, "not read")
	guest.awaitTyped(t, "root\r")
	guest.print("root\r\n\x1b[1m# more")
	if err := result(t, p.ended); err != nil {
		t.Error(err)
	}
	if string(guest.typed) != "root\rreboot\ry" {
		t.Errorf("typed %q", guest.typed)
	}
	if want := "boot\r\nlogin: root\r\n\x1b[1m# "; p.output() != want || p.log.Len() > 0 {
		t.Errorf("printed %q, log %q", p.output(), p.log.String())
	}
	p.in.Close()
	if left, err := io.ReadAll(p.stdin); err != nil || string(left) != "not read" {
		t.Errorf("%q is left of stdin: %v", left, err)
	}
}

// A script is done once the guest has read what was typed last.
func TestScriptWaitsForTheGuest(t *testing.T) {
	guest, _ := machine(t, "# ")
	guest.deaf = true
	long := strings.Repeat("0123456789abcdef", 1<<16)
	p := startScript(t, Options{}, "--send", long)
	guest.await(t, "the first input", func() bool { return guest.waiting })
	guest.change(func() { guest.deaf = false })
	if err := result(t, p.ended); err != nil || !bytes.Equal(guest.typed, []byte(long+"\r")) {
		t.Errorf("%v, %d bytes typed", err, len(guest.typed))
	}
	guest.deaf, guest.waiting = true, false
	err := WithStatus(result(t, startScript(t, Options{Timeout: 50 * time.Millisecond}, "--send", "x").ended))
	if want := "input: not typed within 50ms (the guest does not read)"; err == nil || err.Error() != want || status(err) != cmdline.StatusTimeout {
		t.Errorf("%v, want %s", err, want)
	}
}

// status returns the exit status of an error.
func status(err error) int {
	var coder interface{ ExitCode() int }
	if errors.As(err, &coder) {
		return coder.ExitCode()
	}
	return cmdline.StatusFailed
}

// A script that types needs the writer's seat from its start on, and keeps it to its end.
func TestScriptAndTheSeat(t *testing.T) {
	guest, owner := machine(t, "text")
	owner.give("other[1]")
	err := result(t, startScript(t, Options{}, "--expect", "never", "--send", "x").ended)
	if !errors.As(err, new(*ctl.SeatTakenError)) || err.Error() != "input: other (pid 1) has the writer's seat (take it with --force)" {
		t.Errorf("got %v", err)
	}
	if err := result(t, startScript(t, Options{}, "--expect", "te").ended); err != nil {
		t.Errorf("a script that does not type: %v", err)
	}
	forced := startScript(t, Options{Force: true}, "--send", "forced", "--expect", "never")
	guest.awaitTyped(t, "forced")
	owner.lost <- &relay.SeatTakenError{Holder: "third[3]"}
	if err := result(t, forced.ended); err == nil || err.Error() != "input: third (pid 3) has the writer's seat (take it with --force)" {
		t.Errorf("got %v", err)
	}
}

// The end of the VM is the reason that a script reports, also if it types at that time.
func TestScriptEnded(t *testing.T) {
	for _, args := range [][]string{{"--expect", "never"}, {"--send", "x", "--expect", "never"}} {
		guest, _ := machine(t, "text")
		p := startScript(t, Options{}, args...)
		guest.await(t, "a stream", func() bool { return guest.streams > 0 })
		guest.end()
		if err := result(t, p.ended); err == nil || err.Error() != `--expect "never": no match: demo has ended` {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestScriptInterrupted(t *testing.T) {
	machine(t, "# ")
	p := startScript(t, Options{}, "--expect", "never")
	p.await("the prompt", func() bool { return len(p.out.text) > 0 })
	p.cancel(errors.New("terminated"))
	if err := result(t, p.ended); err == nil || err.Error() != "interrupted: terminated" {
		t.Error(err)
	}
}

// On a terminal, the output is filtered, and a new line begins after it. The terminal stays as
// it is: Ctrl-C interrupts the script.
func TestScriptOnTerminal(t *testing.T) {
	machine(t, "\x1b]0;evil\ahello\x1b[6n # ")
	s := newScreen(t, false)
	o := Options{Place: follow.Place{Console: "ttyS0"}, From: "start"}
	if err := RunScript(t.Context(), o, parseSteps(t, "--expect", "# "), s.tty, io.Discard); err != nil {
		t.Error(err)
	}
	s.wantRestored()
	s.await("hello # " + always + "\r\r\n")
	if strings.ContainsAny(s.String(), "\a") || strings.Contains(s.String(), "\x1b[6n") {
		t.Errorf("the screen has %q", s.String())
	}
}
