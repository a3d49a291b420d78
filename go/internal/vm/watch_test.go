package vm

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/state"
)

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

// The journal has when the guest was ready.
func TestReadyInTheJournal(t *testing.T) {
	v, ended := run(t, machine(t, "fake.print="+printed(t, bootText+loginText)))
	if err := ready(t, v); err != nil {
		t.Fatal(err)
	}
	snapshot, err := journal.TakeSnapshot(v.Status().Consoles[0].Relay.Journal)
	if err != nil {
		t.Fatal(err)
	}
	if boot, err := snapshot.Boot(0); err != nil || boot.ReadyBy != "login on ttyS0" || boot.Ready.IsZero() {
		t.Errorf("got %+v, %v", boot, err)
	}
	stop(t, v, ended)
}

// After a restart the guest is ready once the new boot shows a login prompt.
func TestReadyAgain(t *testing.T) {
	v, ended := run(t, machine(t, "fake.print="+printed(t, bootText+loginText), "fake.reset", "fake.again="+printed(t, bootText+loginText)))
	started(t, v)
	await(t, "a guest that has restarted", func() bool { return v.Status().Restarts == 1 && v.Status().State == state.Booting })
	v.qemu.supports("") // the answer follows all events of the restart
	if err := v.Break(t.Context(), "serial"); err != nil {
		t.Fatal(err)
	}
	if err := ready(t, v); err != nil {
		t.Fatal(err)
	}
	stop(t, v, ended)
}

// A guest that is ready again before its restart is processed stays ready.
func TestReadyBeforeTheRestartIsProcessed(t *testing.T) {
	v := New(machine(t), Options{})
	v.record.set(func(m *state.Machine) { m.State = state.Booting })
	v.guest.Start(time.Now())
	v.guest.Print(0, []byte(bootText), int64(len(bootText)), time.Now())
	v.guest.Reset([]int64{int64(len(bootText)), 0}, time.Now())
	v.guest.Print(0, []byte(loginText), int64(len(bootText+loginText)), time.Now())
	v.watcher.checkReady()
	v.watcher.restarted()
	if now := v.Status(); now.State != state.Ready || now.Restarts != 1 {
		t.Errorf("%+v", now)
	}
}

// A restart that is processed only after QEMU's end is recorded, and fails like an earlier one.
func TestRestartAtTheEnd(t *testing.T) {
	v := New(machine(t), Options{FailOnReset: true})
	v.guest.Start(time.Now())
	v.watcher.checkLast()
	if v.watcher.cause != nil {
		t.Errorf("without a restart: %v", v.watcher.cause)
	}
	v.guest.Reset([]int64{0, 0}, time.Now())
	v.watcher.checkLast()
	if cause := v.watcher.cause; cause == nil || cause.Cause != guest.Reset || v.watcher.restarts != 1 {
		t.Errorf("got %v, %d restarts", cause, v.watcher.restarts)
	}
}

func TestAwaitReadyOfAVMThatEnds(t *testing.T) {
	v, ended := run(t, machine(t))
	started(t, v)
	waited := make(chan error, 1)
	go func() { waited <- ready(t, v) }()
	stop(t, v, ended)
	if err := <-waited; !errors.Is(err, ctl.ErrNeverReady) {
		t.Errorf("got %v", err)
	}
}

// Events that do not end the guest are notes.
func TestNotes(t *testing.T) {
	oom := "[    9.1] Out of memory: Killed process 77 (hog) total-vm:1kB\r\n"
	for _, test := range []struct {
		name  string
		words []string
		args  []string // of QEMU
		want  string
	}{
		{"no console prints", nil, nil, "no console has printed anything for 20ms: if the host is not busy, check that the kernel has drivers for these consoles, and console= in kernelParams and QEMU's arguments"},
		{"QEMU is paused from its start", nil, []string{"-S"}, `QEMU is paused (-S): attach gdb or type "cont" in the monitor`},
		{"a process is killed", []string{"fake.print=" + printed(t, bootText+oom)}, nil, "the guest is out of memory: its kernel has killed process 77 (hog)"},
		{"paused by the monitor", []string{"fake.print=" + printed(t, bootText), "fake.halt=paused"}, nil, "the guest is paused by QEMU's monitor"},
		{"an I/O error", []string{"fake.print=" + printed(t, bootText), "fake.halt=io-error"}, nil, "the guest is stopped by an I/O error of a disk"},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := make(chan string, 100)
			options := Options{AutoPorts: true, Log: func(line string) { log <- line }}
			if !strings.Contains(strings.Join(test.words, " "), "fake.print=") {
				options.Silence = 20 * time.Millisecond
			}
			options.QEMUArgs = test.args
			v, ended := runWith(t, machine(t, test.words...), options)
			for line := ""; !strings.HasPrefix(line, test.want); {
				select {
				case line = <-log:
				case <-time.After(hangLimit):
					t.Fatalf("the log lacks the note: %+v", v.Status().Notes)
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

// The note that no console has printed anything is withdrawn once one has.
func TestNoteOfSilenceEnds(t *testing.T) {
	v, ended := runWith(t, machine(t), Options{AutoPorts: true, Silence: time.Millisecond})
	await(t, "note", func() bool { return len(v.Status().Notes) == 1 })
	typist, err := v.consoles.all()[0].Relay().Typist(relay.TypistInfo{})
	if err != nil {
		t.Fatal(err)
	}
	defer typist.Close()
	if _, err := typist.Write([]byte("the guest echoes this\n")); err != nil {
		t.Fatal(err)
	}
	await(t, "end of the note", func() bool { return len(v.Status().Notes) == 0 })
	stop(t, v, ended)
}

// The cause of stopped processors is asked from QEMU.
func TestHalts(t *testing.T) {
	for _, test := range []struct {
		name  string
		words []string
		want  guest.Error
		lines string // the last line
	}{
		{"an internal error", []string{"fake.print=" + printed(t, bootText), "fake.halt=internal-error"},
			guest.Error{Cause: guest.Lost, Message: "stopped by an internal error of QEMU or KVM", Device: "ttyS0"}, "[    1.0] booting"},
		{"a watchdog", []string{"fake.halt=watchdog"},
			guest.Error{Cause: guest.Lost, Message: "stopped by its watchdog device"}, ""},
		{"a panic that stops the processors", []string{"fake.print=" + printed(t, bootText+panicText), "fake.halt=guest-panicked"},
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

func TestPanicEndsTheVM(t *testing.T) {
	for _, test := range []struct {
		name, word, text string
	}{
		{"a restart after the panic", "fake.reset", bootText + panicText},
		{"the panic device", "fake.panicked", bootText + panicText},
		{"QEMU's end before all output is read", "fake.once", strings.Repeat(bootText, 20_000) + panicText},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, options := range []Options{{AutoPorts: true}, {AutoPorts: true, NoRelay: true}} {
				v, ended := runWith(t, machine(t, test.word, "fake.print="+printed(t, test.text)), options)
				var panicked *guest.Error
				if err := <-ended; !errors.As(err, &panicked) || panicked.Message != "Kernel panic - not syncing: no root" {
					t.Errorf("Run: %v (without relay: %t)", err, options.NoRelay)
				}
				if err := v.Leftovers(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// The message alone counts as a panic if an agent that has answered before is silent. Package
// guest tests the other conditions.
func TestPanicByTextAlone(t *testing.T) {
	for _, test := range []struct {
		name, agent string
		noted       string // "" if it counts as a panic
	}{
		{"an agent that stops answering", "fake.agent=freezes", ""},
		{"an agent that answers", "fake.agent", `ttyS0 ends with "Kernel panic - not syncing: no root", but the guest's agent still answers`},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, ended := run(t, machine(t, "fake.print="+printed(t, bootText+loginText), "fake.again="+printed(t, "\r\n"+deadText), test.agent))
			if err := ready(t, v); err != nil {
				t.Fatal(err)
			}
			started(t, v) // the login prompt may be seen earlier
			await(t, "agent", func() bool { return v.Status().Agent })
			if err := v.Break(t.Context(), "serial"); err != nil {
				t.Fatal(err)
			}
			if test.noted == "" {
				var panicked *guest.Error
				if err := <-ended; !errors.As(err, &panicked) || panicked.Message != "Kernel panic - not syncing: no root" {
					t.Errorf("Run: %v", err)
				}
				return
			}
			await(t, "note", func() bool { return len(v.Status().Notes) > 0 })
			if note := v.Status().Notes[0].Text; !strings.HasPrefix(note, test.noted) {
				t.Errorf("noted %q, want %q", note, test.noted)
			}
			stop(t, v, ended)
		})
	}
}

// A console without a login does not make the guest ready, whatever it prints.
func TestNoLogin(t *testing.T) {
	m, none := machine(t), false
	for _, login := range []*bool{nil, &none} {
		m.Consoles[0].Login = login
		g := newGuest(m)
		g.Print(0, []byte(loginText), int64(len(loginText)), time.Now())
		if ready := g.CheckReady(time.Now()); ready != (login == nil) {
			t.Errorf("with a login on %v: ready %t", m.Consoles[0], ready)
		}
	}
}

// The log has a limited number of the notes that a guest causes, and the number of the others.
func TestFloodOfNotes(t *testing.T) {
	const flood = 3000
	var log []string
	m := machine(t)
	g := newGuest(m)
	r := newRecord(filepath.Join(t.TempDir(), "state.json"), Options{Log: func(line string) { log = append(log, line) }}, g, "m")
	o := outputs{guest: g, note: r.noteLimited}
	end := int64(0)
	for i := range flood {
		line := fmt.Sprintf("Out of memory: Killed process %d (\u009b2J) total-vm:1kB\r\n", i)
		end += int64(len(line))
		o.printed(0, []byte(line), end)
	}
	r.noteMore()
	want := fmt.Sprintf("and %d more notes within a minute", flood-notesAtOnce)
	if len(log) != notesAtOnce+1 || log[notesAtOnce] != want {
		t.Errorf("%d lines, the last one %q; want %d, the last one %q", len(log), log[len(log)-1], notesAtOnce+1, want)
	}
	if want := `the guest is out of memory: its kernel has killed process 0 (\u009b2J)`; log[0] != want {
		t.Errorf("the first line is %q, want %q", log[0], want)
	}
	shown, _ := r.now()
	if last := shown.Notes[len(shown.Notes)-1]; last.Text != want {
		t.Errorf("the last note is %+v, want %q", last, want)
	}
}
