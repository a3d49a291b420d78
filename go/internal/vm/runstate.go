package vm

import (
	"context"
	"slices"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/state"
)

// Run states of QEMU (RunState in QEMU's qapi/run-state.json).
const (
	statusPrelaunch = "prelaunch" // QEMU was started with -S
	statusShutdown  = "shutdown"  // QEMU keeps the guest at its restart or power-off
)

// isPaused reports whether a run state of QEMU means that gdb or the monitor has paused the
// guest's processors, or that they have not been started.
func isPaused(status string) bool {
	return slices.Contains([]string{statusPrelaunch, "paused", "debug"}, status)
}

// pausedNote is the note of a guest that is paused, but not by a gdb on our socket. It is withdrawn
// when the guest continues.
const pausedNote = "the guest is paused by QEMU's monitor"

// checkRunState records whether the guest is paused. It returns why QEMU has stopped the guest's
// processors, or nil if they run or may continue. In that case it adds a note.
func (w *watcher) checkRunState() *guest.Error {
	status, err := w.qemu.status(context.Background())
	if err != nil {
		return nil //nolint:nilerr // QEMU is ending, and its exit says more
	}
	w.setPaused(status)
	switch status {
	case "internal-error":
		return w.guest.Lost("stopped by an internal error of QEMU or KVM" + w.qemu.lastLines())
	case "watchdog":
		return w.guest.Lost("stopped by its watchdog device")
	case "guest-panicked":
		return w.guest.ReportedPanic()
	case "io-error":
		w.record.note("the guest is stopped by an I/O error of a disk (check the free space on the host), and continues once the disk works")
	case "paused":
		if !w.qemu.gdb.serves() {
			w.record.note(pausedNote)
		}
	}
	return nil
}

// setPaused records whether the guest is paused, in QEMU's run state status. Once the processors
// of a guest run for the first time, the time until it is ready begins.
func (w *watcher) setPaused(status string) {
	if !isPaused(status) {
		status = ""
	}
	if status == w.paused {
		return
	}
	if w.paused == statusPrelaunch && status == "" {
		w.guest.Begin(time.Now())
	}
	if status == "" {
		w.record.withdraw(pausedNote)
	}
	w.paused = status
	w.record.set(func(m *state.Machine) { m.Paused = status != "" })
	_ = w.record.publish() // the status shows it even without the file
}
