package vm

import (
	"context"
	"fmt"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/state"
)

const (
	// silenceLimit is how long the consoles may print nothing at first: many times what a
	// kernel needs to its first line, also if it is emulated.
	silenceLimit = 10 * time.Second
	// panicQuiet is how long all consoles are silent before the watcher looks for a panic's
	// last line at the end of one.
	panicQuiet = 2 * time.Second
)

// watcher finds out what becomes of the guest, and ends QEMU if that is the guest's end. It
// feeds package guest, which decides.
type watcher struct {
	qemu     *qemuProcess
	guest    *guest.Guest
	record   *record
	consoles *consoles
	outputs  *outputs
	windows  *windows
	events   *events
	silence  time.Duration // see Options
	silent   string        // the note of noteSilence; "": none, or it is out of date
	restarts int           // that the journals know of
	cause    *guest.Error  // why run has ended QEMU; it is read once that has returned
}

// start has the guest watched until QEMU has ended.
func (w *watcher) start() {
	w.outputs.start(w.printed)
	for _, run := range []func(){w.pingAgents, w.run, func() { w.windows.run(w.qemu, w.consoles) }} {
		w.qemu.group.Go(func() error {
			run()
			return nil
		})
	}
}

// printed takes what console i has printed; see guest.Print.
func (w *watcher) printed(i int, data []byte, end int64) {
	for _, text := range w.guest.Print(i, data, end, time.Now()) {
		w.record.noteLimited(text)
	}
	if len(data) > 0 {
		notify(w.events.printed)
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
		case <-w.events.halted:
			w.outputs.awaitRead()
			w.terminate(w.whyHalted())
		case <-quiet.C:
			w.terminate(w.panicByText())
		case <-silent.C:
			w.noteSilence()
		case <-more.C:
			w.record.noteMore()
		}
	}
}

// restarted takes note of a restart of the guest, which may be ready again by now.
func (w *watcher) restarted() {
	w.noteRestarts()
	w.terminate(w.guest.CheckRestart())
	if w.guest.State().ReadyBy == "" {
		_ = w.record.become(state.Booting) // status shows it all the same
	}
	w.checkReady()
}

// terminate ends QEMU because of what has become of the guest; nil does nothing.
func (w *watcher) terminate(found *guest.Error) {
	if found == nil {
		return
	}
	if w.cause == nil {
		w.cause = found
	}
	w.qemu.terminate()
}

// checkReady changes the state of a guest that has become ready.
func (w *watcher) checkReady() {
	if now, _ := w.record.now(); now.State == state.Booting && w.guest.CheckReady(time.Now()) {
		_ = w.record.become(state.Ready) // status shows it all the same
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

// noteSilence notes what to look at if no console has printed anything.
func (w *watcher) noteSilence() {
	select {
	case <-w.guest.Printed():
		return
	default:
	}
	w.silent = fmt.Sprintf("no console has printed anything for %v (if this host is not just busy, look at console= in kernelParams and QEMU's "+
		"arguments, at the kernel, which has to be a bzImage with drivers for these consoles, and try --accel tcg)", w.silence)
	w.record.note(w.silent)
}

// panicByText returns a panic that only text shows, if the agent's silence proves it.
// Otherwise it is a note.
func (w *watcher) panicByText() *guest.Error {
	suspicion := w.guest.Suspect()
	if suspicion == nil {
		return nil
	}
	proven, note := w.guest.Confirm(suspicion, suspicion.AskAgent && w.agentAnswers())
	if note != "" {
		w.record.noteLimited(note)
	}
	return proven
}

// whyHalted asks why QEMU has stopped the guest's processors, and returns the cause if they
// will not run again. They may just have been paused.
func (w *watcher) whyHalted() *guest.Error {
	var is struct{ Status string }
	if err := w.qemu.execute(context.Background(), "query-status", &is); err != nil {
		return nil //nolint:nilerr // QEMU's own end says more
	}
	switch is.Status {
	case "internal-error":
		return w.guest.Lost("QEMU has stopped its processors after an error of its own or of KVM" + w.qemu.lastWords())
	case "watchdog":
		return w.guest.Lost("its watchdog has not heard from it in time")
	case "guest-panicked":
		return w.guest.ReportedPanic()
	case "io-error":
		w.record.note("the guest stands still until a disk of it works again (has the host's disk room left?)")
	case "paused":
		w.record.note("the guest was paused by QEMU's monitor")
	}
	return nil
}
