package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/state"
)

const loginText = "\r\ndemo login: "

// ready waits until the guest is ready, for hangLimit at most.
func ready(t *testing.T, v *VM) error {
	t.Helper()
	limit, cancel := context.WithTimeout(t.Context(), hangLimit)
	defer cancel()
	return v.AwaitReady(limit)
}

// stop ends a machine that the test has done with.
func stop(t *testing.T, v *VM, ended <-chan error) {
	t.Helper()
	if _, err := v.Stop(t.Context(), ctl.StopRequest{Force: true}); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestReadyAtALogin(t *testing.T) {
	for _, options := range []Options{{AutoPorts: true}, {AutoPorts: true, NoRelay: true}} {
		v, ended := runWith(t, machine(t, "fake.print="+printed(t, bootText+loginText)), options)
		if err := ready(t, v); err != nil {
			t.Fatal(err)
		}
		status := v.Status()
		if status.State != state.Ready || status.ReadyBy != "login on ttyS0" || status.ReadySeconds <= 0 {
			t.Errorf("got %+v", status)
		}
		stop(t, v, ended)
		if err := ready(t, v); !errors.Is(err, ctl.ErrNeverReady) {
			t.Errorf("after the end: %v", err)
		}
	}
}

// On a console without a login it is just a text.
func TestNotReadyWithoutALogin(t *testing.T) {
	m, none := machine(t, "fake.print="+printed(t, bootText+loginText)), false
	m.Consoles[0].Login = &none
	v, ended := run(t, m)
	started(t, v)
	await(t, "print", func() bool { return strings.Contains(strings.Join(v.Tails(1)[0].Lines, ""), "login:") })
	v.outputs.awaitRead()
	if is := v.Status().State; is != state.Booting {
		t.Errorf("it is %s", is)
	}
	stop(t, v, ended)
}

// A guest that restarts is ready once its next boot shows a login: that of the
// last one counts no more.
func TestReadyAgain(t *testing.T) {
	v, ended := run(t, machine(t, "fake.print="+printed(t, bootText+loginText), "fake.reset", "fake.again="+printed(t, bootText+loginText)))
	started(t, v)
	await(t, "a guest that has restarted", func() bool { return v.Status().Restarts == 1 && v.Status().State == state.Booting })
	if err := v.Break(t.Context(), "serial"); err != nil {
		t.Fatal(err)
	}
	if err := ready(t, v); err != nil {
		t.Fatal(err)
	}
	stop(t, v, ended)
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(hangLimit); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v", what, hangLimit)
		}
	}
}

func TestWhoWaitsForAGuestThatEnds(t *testing.T) {
	v, ended := run(t, machine(t))
	started(t, v)
	waited := make(chan error, 1)
	go func() { waited <- ready(t, v) }()
	stop(t, v, ended)
	if err := <-waited; !errors.Is(err, ctl.ErrNeverReady) {
		t.Errorf("got %v", err)
	}
}

// What is no end of a guest is told, and it runs on.
func TestNotes(t *testing.T) {
	oom := "[    9.1] Out of memory: Killed process 77 (hog) total-vm:1kB\r\n"
	for _, test := range []struct {
		name  string
		words []string
		want  string
	}{
		{"no console prints", nil, "no console has printed anything for 20ms (if this host is not just busy, look at console= in kernelParams"},
		{"a process is killed", []string{"fake.print=" + printed(t, bootText+oom)}, "the guest is out of memory: its kernel has killed process 77 (hog)"},
		{"paused by hand", []string{"fake.print=" + printed(t, bootText), "fake.halt=paused"}, "the guest was paused by QEMU's monitor"},
		{"its disk has no room", []string{"fake.print=" + printed(t, bootText), "fake.halt=io-error"}, "the guest stands still until a disk of it works again"},
	} {
		t.Run(test.name, func(t *testing.T) {
			told := make(chan string, 100)
			options := Options{AutoPorts: true, Log: func(line string) { told <- line }}
			if test.words == nil {
				options.Silence = 20 * time.Millisecond
			}
			v, ended := runWith(t, machine(t, test.words...), options)
			for line := ""; !strings.HasPrefix(line, test.want); {
				select {
				case line = <-told:
				case <-time.After(hangLimit):
					t.Fatalf("it was not told: %+v", v.Status().Notes)
				}
			}
			await(t, "note", func() bool { return len(v.Status().Notes) == 1 })
			if note := v.Status().Notes[0]; !strings.HasPrefix(note.Text, test.want) || note.Time.IsZero() {
				t.Errorf("noted %+v", note)
			}
			stop(t, v, ended)
		})
	}
}

// A guest that has a flood of notes made gets a few of them, and the number of the others.
func TestFloodOfNotes(t *testing.T) {
	const flood = 3000
	var text strings.Builder
	for i := range flood {
		fmt.Fprintf(&text, "Out of memory: Killed process %d (\u009b2J) total-vm:1kB\r\n", i)
	}
	text.WriteString(loginText)
	var mu sync.Mutex
	var told []string
	v, ended := runWith(t, machine(t, "fake.print="+printed(t, text.String())), Options{AutoPorts: true, Log: func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(line, "killed process") || strings.Contains(line, "more notes") {
			told = append(told, line)
		}
	}})
	if err := ready(t, v); err != nil { // all was read
		t.Fatal(err)
	}
	stop(t, v, ended)
	want := fmt.Sprintf("and %d more notes within a minute", flood-notesAtOnce)
	if len(told) != notesAtOnce+1 || told[notesAtOnce] != want {
		t.Errorf("%d lines, the last one %q; want %d, the last one %q", len(told), told[len(told)-1], notesAtOnce+1, want)
	}
	if want := `the guest is out of memory: its kernel has killed process 0 (\u009b2J)`; told[0] != want {
		t.Errorf("the first line is %q, want %q", told[0], want)
	}
	if notes := v.Status().Notes; notes[len(notes)-1].Text != want {
		t.Errorf("the last note is %+v, want %q", notes[len(notes)-1], want)
	}
}

func TestCauses(t *testing.T) {
	const oomPanic = "Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled"
	for _, test := range []struct {
		name  string
		words []string
		want  guest.Error
		lines string // the last of them
	}{
		{"no memory is left", []string{"fake.print=" + printed(t, bootText+oomPanic+"\r\n"), "fake.reset"},
			guest.Error{Cause: guest.OutOfMemory, Message: oomPanic, Device: "ttyS0"}, oomPanic},
		{"KVM gives up", []string{"fake.print=" + printed(t, bootText), "fake.halt=internal-error"},
			guest.Error{Cause: guest.Lost, Message: "QEMU has stopped its processors after an error of its own or of KVM", Device: "ttyS0"}, "[    1.0] booting"},
		{"its watchdog bites", []string{"fake.halt=watchdog"},
			guest.Error{Cause: guest.Lost, Message: "its watchdog has not heard from it in time"}, ""},
		{"a panic that stops QEMU", []string{"fake.print=" + printed(t, bootText+panicText), "fake.halt=guest-panicked"},
			guest.Error{Cause: guest.Panicked, Message: "Kernel panic - not syncing: no root", Device: "ttyS0"}, "[    1.9]  panic+0x1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, ended := run(t, machine(t, test.words...))
			var got *guest.Error
			if err := <-ended; !errors.As(err, &got) {
				t.Fatalf("Run: %v", err)
			}
			if got.Cause != test.want.Cause || got.Message != test.want.Message || got.Device != test.want.Device {
				t.Errorf("got %v on %s, want %v on %s", got, got.Device, &test.want, test.want.Device)
			}
			if last := strings.Join(got.Lines[max(0, len(got.Lines)-1):], ""); last != test.lines {
				t.Errorf("the last line is %q, want %q", last, test.lines)
			}
			if err := v.Leftovers(); err != nil {
				t.Error(err)
			}
		})
	}
}
