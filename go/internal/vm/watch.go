package vm

import (
	"context"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/state"
)

// panicQuiet is how long all consoles must be silent before the watcher looks for the end of a panic
// in their last lines.
const panicQuiet = 2 * time.Second

// watcher decides, with package guest, when the guest is ready and when it has failed, and ends QEMU
// if it has failed. Other goroutines wake it by its events. While QEMU runs, only the goroutine of
// run uses the fields that change.
type watcher struct {
	qemu      *qemuProcess
	guest     *guest.Guest
	record    *record
	consoles  *consoles
	outputs   *outputs
	events    *events
	collector *collector // writes crash bundles
	strict    bool       // see Options.FailOnReset
	onRestart func()     // see Observer.Restarted; may be nil

	paused   string       // QEMU's run state while the guest is paused; else ""
	restarts int          // the number of restarts in the journals
	cause    *guest.Error // why run has ended QEMU, or what checkLast has found; read after run has returned
}

// run watches the guest until QEMU has ended.
func (w *watcher) run() {
	quiet := time.NewTimer(panicQuiet)
	defer quiet.Stop()
	more := time.NewTicker(notesWithin)
	defer more.Stop()
	for {
		select {
		case <-w.qemu.done():
			return
		case <-w.events.activity:
			quiet.Reset(panicQuiet)
			w.checkReady()
		case <-w.events.restarted:
			w.outputs.awaitRead()
			w.restarted()
		case <-w.events.panicked:
			w.outputs.awaitRead()
			w.terminate(w.guest.ReportedPanic())
		case <-w.events.off:
			w.outputs.awaitRead()
			w.qemu.terminate()
		case <-w.events.runState:
			w.outputs.awaitRead()
			w.terminate(w.checkRunState())
			quiet.Reset(panicQuiet)
		case <-quiet.C:
			w.terminate(w.panicByText())
		case <-more.C:
			w.record.noteMore()
		}
	}
}

// restarted processes a restart of the guest, which may already be ready again.
func (w *watcher) restarted() {
	w.noteRestarts()
	w.terminate(w.guest.CheckRestart(w.strict))
	if w.cause == nil && w.onRestart != nil {
		w.onRestart()
	}
	if w.guest.State().ReadyBy == "" {
		_ = w.record.become(state.Booting) // the status shows it even without the file
	}
	if w.qemu.keeps && w.cause == nil {
		w.continueRestart()
	}
	w.checkReady()
}

// terminate ends QEMU because the guest has failed. It does nothing if found is nil.
func (w *watcher) terminate(found *guest.Error) {
	if found == nil {
		return
	}
	if w.cause == nil {
		w.cause = found
		if w.qemu.keeps {
			w.collector.failed(found)
		}
	}
	w.qemu.terminate()
}

// checkReady changes the VM's state if the guest has become ready.
func (w *watcher) checkReady() {
	if now, _ := w.record.now(); now.State == state.Booting && w.guest.CheckReady(time.Now()) {
		for _, c := range w.consoles.all() {
			c.Relay().NoteReady(w.guest.State().ReadyBy)
		}
		_ = w.record.become(state.Ready) // the status shows it even without the file
	}
}

// noteRestarts records the guest's restarts in the journals.
func (w *watcher) noteRestarts() {
	for now := w.guest.State().Restarts; w.restarts < now; w.restarts++ {
		for _, c := range w.consoles.all() {
			c.Relay().NoteRestart()
		}
	}
}

// checkLast processes a restart of the guest that came with QEMU's end, once run has returned.
func (w *watcher) checkLast() {
	if w.guest.State().Restarts == w.restarts {
		return
	}
	w.noteRestarts()
	if w.cause == nil {
		w.cause = w.guest.CheckRestart(w.strict)
	}
}

// panicByText returns a panic that is seen only in the consoles' text, if the agent's silence
// confirms it. Otherwise it adds a note. It does nothing while the guest is paused, since the
// silence then means nothing.
func (w *watcher) panicByText() *guest.Error {
	suspicion := w.guest.Suspect()
	if suspicion == nil || w.paused != "" {
		return nil
	}
	answers := suspicion.AskAgent && w.qemu.agentAnswers()
	if status, err := w.qemu.status(context.Background()); err == nil && isPaused(status) {
		return nil // it was paused meanwhile
	}
	confirmed, note := w.guest.Confirm(suspicion, answers)
	if note != "" {
		w.record.noteLimited(note)
	}
	return confirmed
}
