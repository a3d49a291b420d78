package vm

import (
	"context"
	"fmt"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/state"
)

const (
	// silenceLimit is the default of Options.Silence: many times what a kernel needs to print
	// its first line, even under TCG.
	silenceLimit = 10 * time.Second
	// panicQuiet is how long all consoles must be silent before the watcher looks for the end
	// of a panic in their last lines.
	panicQuiet = 2 * time.Second
)

// watcher passes what QEMU reports and the consoles print to package guest, which decides on the
// guest's state, and ends QEMU if the guest has failed.
type watcher struct {
	qemu      *qemuProcess
	guest     *guest.Guest
	record    *record
	consoles  *consoles
	outputs   *outputs
	windows   *windows
	events    *events
	observer  Observer      // see Options
	silence   time.Duration // see Options
	strict    bool          // see Options.FailOnReset
	silent    string        // the current note of noteSilence; "" if none
	gdb       bool          // QEMU serves gdb on a socket of ours
	collector *collector    // writes crash bundles
	keeps     bool          // QEMU keeps the guest paused when it fails, restarts or powers off; see qemu.Control
	paused    string        // QEMU's run state while the guest is paused; else ""
	restarts  int           // the number of restarts in the journals
	cause     *guest.Error  // why run has ended QEMU, or what checkLast has found; read after run has returned
}

// start starts watching the guest until QEMU has ended.
func (w *watcher) start() {
	w.outputs.start(w.printed, w.missing)
	for _, run := range []func(){w.pingAgents, w.run, func() { w.windows.run(w.qemu, w.consoles) }} {
		w.qemu.group.Go(func() error {
			run()
			return nil
		})
	}
}

// printed processes output of console i; see guest.Print.
func (w *watcher) printed(i int, data []byte, end int64) {
	if w.observer.Printed != nil && len(data) > 0 {
		w.observer.Printed(i, data)
	}
	for _, text := range w.guest.Print(i, data, end, time.Now()) {
		w.record.noteLimited(text)
	}
	if len(data) > 0 {
		notify(w.events.printed)
	}
}

// missing processes a gap in the output of console i.
func (w *watcher) missing(i int, err error) {
	if w.observer.Missing != nil {
		w.observer.Missing(i, err)
	}
}

func (w *watcher) run() {
	quiet := time.NewTimer(panicQuiet)
	defer quiet.Stop()
	silent := time.NewTimer(w.silence)
	defer silent.Stop()
	more := time.NewTicker(notesWithin)
	defer more.Stop()
	for {
		select {
		case <-w.qemu.done():
			return
		case <-w.events.printed:
			quiet.Reset(panicQuiet)
			w.endSilence()
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
			silent.Reset(w.silence)
		case <-quiet.C:
			w.terminate(w.panicByText())
		case <-silent.C:
			if w.noteSilence() {
				silent.Reset(w.silence)
			}
		case <-more.C:
			w.record.noteMore()
		}
	}
}

// restarted processes a restart of the guest, which may already be ready again.
func (w *watcher) restarted() {
	w.noteRestarts()
	w.terminate(w.guest.CheckRestart(w.strict))
	if w.cause == nil && w.observer.Restarted != nil {
		w.observer.Restarted()
	}
	if w.guest.State().ReadyBy == "" {
		_ = w.record.become(state.Booting) // the status shows it even without the file
	}
	if w.keeps && w.cause == nil {
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
		if w.keeps {
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

// endSilence withdraws the note of noteSilence once a console has printed something.
func (w *watcher) endSilence() {
	if w.silent == "" {
		return
	}
	select {
	case <-w.guest.Printed():
		w.record.withdraw(w.silent)
		w.silent = ""
	default:
	}
}

// noteSilence notes what to check if no console has printed anything. It reports whether to call
// it again after another w.silence, since QEMU is paused.
func (w *watcher) noteSilence() (again bool) {
	select {
	case <-w.guest.Printed():
		return false
	default:
	}
	if w.guest.State().Agent {
		return false // a quiet kernel, and no login
	}
	paused := w.paused != ""
	if paused && w.gdb {
		return true // the status says so
	}
	note := `QEMU is paused (-S): attach gdb or type "cont" in the monitor`
	if !paused {
		note = fmt.Sprintf("no console has printed anything for %v: if the host is not busy, %s", w.silence, w.silenceAdvice())
	}
	if note != w.silent {
		w.record.withdraw(w.silent)
		w.silent = note
		w.record.note(note)
	}
	return paused
}

// silenceAdvice returns what to check if no console prints anything.
func (w *watcher) silenceAdvice() string {
	advice := "check that the kernel has drivers for these consoles, and console= in kernelParams and QEMU's arguments"
	if !w.qemu.linux {
		advice = `check that the guest prints on these consoles; for an image, add "-machine", "graphics=off" to qemuArgs to see the messages of the BIOS on ttyS0`
	}
	if w.qemu.kvm {
		advice += ", or try --accel tcg"
	}
	return advice
}

// panicByText returns a panic that is seen only in the consoles' text, if the agent's silence
// confirms it. Otherwise it adds a note. It does nothing while the guest is paused, since the
// silence then means nothing.
func (w *watcher) panicByText() *guest.Error {
	suspicion := w.guest.Suspect()
	if suspicion == nil || w.paused != "" {
		return nil
	}
	answers := suspicion.AskAgent && w.agentAnswers()
	if status, err := w.qemu.status(context.Background()); err == nil && isPaused(status) {
		return nil // it was paused meanwhile
	}
	confirmed, note := w.guest.Confirm(suspicion, answers)
	if note != "" {
		w.record.noteLimited(note)
	}
	return confirmed
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
		if !w.gdb {
			w.record.note(pausedNote)
		}
	}
	return nil
}
