package vm

import (
	"os"
	"strings"
	"testing"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/state"
)

// A VM for gdb is paused until gdb continues it, and its status says so. It is not silent, and
// time in which it is paused does not count.
func TestPausedForGDB(t *testing.T) {
	v, ended := runWith(t, machine(t, "fake.pause"), Options{AutoPorts: true, GDB: true, Silence: time.Millisecond})
	started(t, v)
	status := v.Status()
	if !status.Paused || status.GDB != v.dir.GDB() {
		t.Errorf("at the start: %+v", status)
	}
	if info, err := os.Stat(status.GDB); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("gdb's socket: %v, %v", info, err)
	}
	err := v.Exec(t.Context(), ctl.ExecRequest{Command: []string{"true"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "the guest is paused") {
		t.Errorf("a command in a paused guest: %v", err)
	}
	if notes := v.Status().Notes; len(notes) > 0 {
		t.Errorf("notes of a paused guest: %+v", notes)
	}
	for _, paused := range []bool{false, true, false} {
		if err := v.Break(t.Context(), "serial"); err != nil {
			t.Fatal(err)
		}
		await(t, "change of the state", func() bool { return v.Status().Paused == paused })
	}
	await(t, "note of a guest that runs in silence", func() bool { return len(v.Status().Notes) > 0 })
	if notes := v.Status().Notes; !strings.HasPrefix(notes[0].Text, "no console has printed anything") {
		t.Errorf("notes: %+v", notes)
	}
	stop(t, v, ended)
	if err := v.Leftovers(); err != nil {
		t.Error(err)
	}
}

// The note about a guest that the monitor has paused is withdrawn when the guest continues.
func TestPausedByTheMonitor(t *testing.T) {
	v, ended := run(t, machine(t, "fake.pause"))
	started(t, v)
	for _, notes := range []int{1, 0} {
		if err := v.Break(t.Context(), "serial"); err != nil {
			t.Fatal(err)
		}
		await(t, "change of the notes", func() bool { return len(v.Status().Notes) == notes && v.Status().Paused == (notes == 1) })
	}
	stop(t, v, ended)
}

// The field gdb of vm.json serves gdb, and does not pause the guest.
func TestGDBOfVMJSON(t *testing.T) {
	m := machine(t, "fake.print="+printed(t, bootText+loginText))
	m.GDB = true
	v, ended := run(t, m)
	if err := ready(t, v); err != nil {
		t.Fatal(err)
	}
	if status := v.Status(); status.Paused || status.GDB == "" {
		t.Errorf("%+v", status)
	}
	stop(t, v, ended)
}

// The time until a guest is ready begins when its processors start.
func TestReadyAfterAPause(t *testing.T) {
	v := New(machine(t), Options{})
	v.record.set(func(m *state.Machine) { m.State = state.Booting })
	v.guest.Start(time.Now().Add(-time.Hour))
	v.watcher.setPaused(statusPrelaunch)
	v.watcher.setPaused("running")
	v.guest.Print(0, []byte(loginText), int64(len(loginText)), time.Now())
	v.watcher.checkReady()
	if seconds := v.Status().ReadySeconds; seconds >= time.Hour.Seconds() {
		t.Errorf("ready after %v s", seconds)
	}
}

// A paused guest, as at a breakpoint in panic(), is not taken for dead. No monitor and no agent is
// asked.
func TestPanicOfAPausedGuest(t *testing.T) {
	v := New(machine(t), Options{GDB: true})
	v.guest.Start(time.Now())
	v.guest.SetPort(true)
	v.guest.Answered(0)
	v.guest.Print(0, []byte(deadText), int64(len(deadText)), time.Now())
	if s := v.guest.Suspect(); s == nil || !s.AskAgent {
		t.Fatalf("the guest is not suspected: %+v", s)
	}
	v.watcher.paused = "debug"
	var want *guest.Error
	if got := v.watcher.panicByText(); got != want {
		t.Errorf("%v", got)
	}
}
