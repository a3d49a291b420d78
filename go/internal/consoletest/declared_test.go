package consoletest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/vmconfig"
)

// suiteOn returns a suite that is connected to one console, ttyS0.
func suiteOn(console *Console, shell bool, checks ...vmconfig.Check) *Suite {
	s := NewSuite(vmconfig.Machine{Consoles: []vmconfig.Console{{Name: "serial", Device: "ttyS0"}}, Checks: checks}, nil, uartLines)
	s.consoles = []*Console{console}
	if shell {
		s.shells["ttyS0"] = console
	}
	return s
}

func TestDeclaredCommands(t *testing.T) {
	for _, test := range []struct {
		check vmconfig.Check
		fails string // "": it passes
	}{
		{vmconfig.Check{Run: "echo $((6*7))", Expect: "42\n"}, ""},
		{vmconfig.Check{Run: "echo $((6*7))", Match: `^\d+\n$`}, ""},
		{vmconfig.Check{Run: "exit 3", Status: 3}, ""},
		{vmconfig.Check{Run: "true"}, ""},
		{vmconfig.Check{Run: "true", Match: "^$"}, ""},
		{vmconfig.Check{Run: "printf one.two", Expect: "one.two"}, ""},
		{vmconfig.Check{Run: "printf one-two", Expect: "one.two"}, `guest: "printf one-two" on ttyS0 printed "one-two", want "one.two" in it`},
		{vmconfig.Check{Run: "echo a", Match: "^b"}, `guest: "echo a" on ttyS0 printed "a\n", want a match of "^b" in it`},
		{vmconfig.Check{Run: "false", Expect: "a"}, `guest: "false" on ttyS0 ended with status 1, want 0: ""`},
		{vmconfig.Check{Run: "echo a", Expect: "a", Status: 2}, `guest: "echo a" on ttyS0 ended with status 0, want 2: "a\n"`},
		{vmconfig.Check{Run: "seq 1000", Expect: "b"}, `printed (3893 bytes) …"`},
		{vmconfig.Check{Run: "echo ) oops", Expect: "b"}, `ended with status 2, want 0: `},
	} {
		t.Run(test.check.Run, func(t *testing.T) {
			s := suiteOn(withShell(t), true, test.check)
			err := s.declared()[0].Run(limited(t))
			if failed := err != nil; failed != (test.fails != "") || failed && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("got %v, want %q", err, test.fails)
			}
		})
	}
}

// Only output after the echo of what was typed counts, not output before it.
func TestDeclaredSend(t *testing.T) { synctest.Test(t, testDeclaredSend) }

func testDeclaredSend(t *testing.T) {
	console, guest := connected(t)
	io.WriteString(guest, "R-42 from before\r\n")
	console.Expect(limited(t), "line", regexp.MustCompile("before"))
	go func() {
		buffer := make([]byte, 1024)
		for _, answer := range []string{"R-42\r\n", "what?\r\n"} {
			n, _ := guest.Read(buffer)
			guest.Write(buffer[:n])
			io.WriteString(guest, answer)
		}
		guest.Close()
	}()
	check := vmconfig.Check{Send: "echo R-$((6*7))\n", Expect: "\nR-42\n"}
	s := suiteOn(console, false, check)
	if err := s.declared()[0].Run(limited(t)); err != nil {
		t.Error(err)
	}
	err := s.declared()[0].Run(limited(t))
	if want := `no "\nR-42\n" on ttyS0: connection closed; last line: "what?"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// All that was printed counts, with the lines of the kernel; and so does a line that the
// kernel has broken into.
func TestDeclaredPrinted(t *testing.T) { synctest.Test(t, testDeclaredPrinted) }

func testDeclaredPrinted(t *testing.T) {
	console, guest := connected(t)
	io.WriteString(guest, "[    0.000000] Linux version 6.1\r\nself-te[    1.500000] clock: ok\r\nst passed\r\n\rdemo login: ")
	console.Expect(limited(t), "login", regexp.MustCompile("login"))
	guest.Close()
	for _, test := range []struct {
		check vmconfig.Check
		fails bool
	}{
		{vmconfig.Check{Expect: "Linux version"}, false},
		{vmconfig.Check{Match: `(?m)^self-test passed$`}, false},
		{vmconfig.Check{Match: `(?m)clock: ok$`}, false},
		{vmconfig.Check{Match: `(?m)^demo login: $`}, false},
		{vmconfig.Check{Expect: "version\n"}, true},
	} {
		check := suiteOn(console, false, test.check).declared()[0]
		if err := check.Run(limited(t)); (err != nil) != test.fails {
			t.Errorf("%+v: %v", test.check, err)
		}
		if !check.AfterEnd {
			t.Errorf("%+v cannot be made once the VM has ended", test.check)
		}
	}
	err := suiteOn(console, false, vmconfig.Check{Match: `y\d`}).declared()[0].Run(limited(t))
	if want := `no match of "y\\d" on ttyS0: connection closed; last line: "demo login:"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The error of a check names the console that is not connected, or that has no login.
func TestDeclaredWithoutConsole(t *testing.T) {
	console, _ := connected(t)
	console.Device = "hvc0"
	s := suiteOn(console, false, vmconfig.Check{Run: "true"}, vmconfig.Check{Send: "a", Expect: "b"}, vmconfig.Check{Expect: "b"})
	var got []string
	for _, check := range s.declared() {
		got = append(got, check.Run(limited(t)).Error())
	}
	want := []string{"no login on ttyS0", "not connected to ttyS0", "not connected to ttyS0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A machine that ends is one failure, with the cause, also if the cause comes after the end of the
// connection. A check that finds its text passes.
func TestDeclaredAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		console, guest := connected(t)
		ctx, over := context.WithCancelCause(t.Context())
		go func() {
			io.WriteString(guest, "hello\r\n")
			guest.Close()
			time.Sleep(endLimit / 2)
			over(fmt.Errorf("%w: a panic", ErrEnded))
		}()
		s := suiteOn(console, false,
			vmconfig.Check{Name: "a", Expect: "good bye"}, vmconfig.Check{Name: "b", KTAP: true},
			vmconfig.Check{Name: "c", Match: "^never"}, vmconfig.Check{Name: "d", Expect: "hello"})
		want := map[string]string{
			"a": `no "good bye" on ttyS0: the VM has ended: a panic`,
			"b": `not run, the VM has ended: see "a"`, "c": `not run, the VM has ended: see "a"`, "d": "ok",
		}
		if diff := cmp.Diff(want, outcome(ctx, s.declared(), time.Minute)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFindEndsWithItsContext(t *testing.T) {
	console, guest := connected(t)
	io.WriteString(guest, "one")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("given up"))
	err := console.Find(ctx, "number", 0, regexp.MustCompile("two"))
	if err == nil || !strings.HasPrefix(err.Error(), "no number on ttyS0: given up") {
		t.Error(err)
	}
}

// Numbered lines are for VMs with exactness: more on a UART than on a virtio console.
func TestNumberedLines(t *testing.T) {
	for _, test := range []struct {
		exactness       bool
		requested       int
		serial, console int
	}{
		{false, 0, 0, 0},
		{true, 0, 100_000, 20_000},
		{false, 7, 7, 7},
		{true, 7, 7, 7},
	} {
		machine := vmconfig.Machine{Exactness: test.exactness}
		serial := numbered(machine, vmconfig.Console{Device: "ttyS0"}, test.requested)
		console := numbered(machine, vmconfig.Console{Device: "hvc0"}, test.requested)
		if serial != test.serial || console != test.console {
			t.Errorf("%+v: got %d and %d", test, serial, console)
		}
	}
}

// Of a guest without a login, the checks that need a shell are skipped.
func TestChecksWithoutALogin(t *testing.T) {
	no := false
	machine := vmconfig.Machine{
		Consoles: []vmconfig.Console{{Name: "serial", Device: "ttyS0", Login: &no}, {Name: "console", Device: "hvc0"}},
		Checks:   []vmconfig.Check{{Name: "printed", Expect: "x"}, {Name: "command", Console: "console", Run: "true"}},
	}
	var got []string
	for _, check := range NewSuite(machine, nil, uartLines).Checks() {
		if check.Skip != "" {
			check.Name = "(" + check.Name + ")"
		}
		got = append(got, check.Name)
	}
	want := []string{
		nameStarts, namePrinted, "(login on ttyS0)", "login on hvc0", "printed", "command",
		"(what ttyS0 writes to /dev/hvc0 arrives there)", "(what hvc0 writes to /dev/ttyS0 arrives there)",
		"(100000 numbered lines on ttyS0 reach two clients and the journal)",
		"100000 numbered lines on hvc0 reach two clients and the journal",
		"clean shutdown, nothing left behind", "the kernel's log is clean",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	machine.Consoles = machine.Consoles[:1]
	machine.Checks = nil
	checks := NewSuite(machine, nil, uartLines).Checks()
	for i, name := range []string{"the VM ends, nothing left behind", "the kernel's log is clean"} {
		if check := checks[len(checks)-2+i]; check.Name != name || !check.AfterEnd || !check.Always {
			t.Errorf("%s is %+v", name, check)
		}
	}
}

// The end of a machine may be known before its last bytes were read.
func TestFindReadsTheLastBytes(t *testing.T) {
	console, guest := connected(t)
	ctx, over := context.WithCancelCause(limited(t))
	over(ErrEnded)
	go func() {
		io.WriteString(guest, "good bye\r\n")
		guest.Close()
	}()
	if err := console.Find(ctx, "words", 0, regexp.MustCompile("good bye")); err != nil {
		t.Error(err)
	}
	if err := console.Find(ctx, "words", 0, regexp.MustCompile("hello")); !errors.Is(err, ErrEnded) {
		t.Errorf("got %v, want %v", err, ErrEnded)
	}
}
