package main

import (
	"encoding/json"
	"sync"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/plaintext"
	"microvm-console/internal/qmp"
)

const (
	// keptRestarts is how many of the newest restarts of the guest are kept: more than
	// package guest takes for a loop.
	keptRestarts = 20
	// readBack is how many bytes before a restart are read from each console: they show a
	// panic or a login.
	readBack = 256 << 10
)

// watch collects what QEMU reports about its guest.
type watch struct {
	consoles  []console // to which the guest's kernel may print
	names     []guest.Console
	log       *kernelLog    // nil without --verdict
	restarted chan struct{} // receives a value for each restart; buffered

	mu       sync.Mutex
	count    *guest.Guest // gets resets only, to find out which of them are restarts
	restarts []restart
	last     guest.Shutdown // of the last SHUTDOWN event
	panicked bool           // QEMU's panic device has reported a panic since the last restart
}

// restart is a restart of the guest by itself.
type restart struct {
	ends []int64 // how many bytes each console had printed in this boot
	at   time.Time
}

func newWatch(names []string, consoles []console) *watch {
	w := &watch{consoles: consoles, restarted: make(chan struct{}, keptRestarts)}
	for _, name := range names {
		w.names = append(w.names, guest.Console{Device: name, Login: true})
	}
	w.count = guest.New(w.names)
	return w
}

// devices returns the names of the consoles.
func (w *watch) devices() []string {
	var names []string
	for _, name := range w.names {
		names = append(names, name.Device)
	}
	return names
}

// event handles an event of QEMU. It does not block.
func (w *watch) event(e qmp.Event) {
	var data guest.Shutdown
	_ = json.Unmarshal(e.Data, &data) // the data of other events is of another type
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case e.Name == "SHUTDOWN":
		w.last = data
	case e.Name == "GUEST_PANICKED":
		w.panicked = true
	case e.Name == "RESET" && data.Guest:
		w.reset(restart{w.printed(), time.Now()})
	}
}

// printed returns how many bytes each console has printed in this boot.
func (w *watch) printed() []int64 {
	ends := make([]int64, len(w.consoles))
	for i, c := range w.consoles {
		if end, err := c.printed(); err == nil { // otherwise its text cannot be read later either
			ends[i] = end - c.start()
		}
	}
	return ends
}

// reset records a reset. The caller holds the lock.
func (w *watch) reset(r restart) {
	before := w.count.State().Restarts
	w.count.Reset(r.ends, r.at)
	if w.count.State().Restarts == before {
		return // it belongs to the previous restart
	}
	w.panicked = false
	w.restarts = append(w.restarts, r)
	w.restarts = w.restarts[max(0, len(w.restarts)-keptRestarts):]
	select {
	case w.restarted <- struct{}{}:
	default: // the guest restarts faster than the relays record it
	}
}

// judge returns why the guest has ended: by a panic, after too many restarts, or, with --verdict, by a
// restart that ended QEMU (-no-reboot) and that the kernel has not announced. Otherwise
// found is nil, and suspected is a panic that is likely but not certain, if there is one. It is
// called when QEMU has ended and the journals have all that it printed.
func (w *watch) judge() (found *guest.Error, suspected *guest.Suspicion) {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := guest.New(w.names)
	read := make([]int64, len(w.consoles))
	for _, r := range w.restarts {
		w.replay(g, read, r)
		g.Reset(r.ends, r.at)
		found = g.CheckRestart(false)
	}
	end := restart{w.printed(), time.Now()}
	w.replay(g, read, end)
	switch {
	case w.panicked:
		return g.ReportedPanic(), nil
	case w.last.Reset():
		g.Reset(end.ends, end.at)
		return g.CheckRestart(w.log != nil), nil
	case w.last.Guest:
		return nil, nil
	case g.State().ReadyBy != "":
		return nil, g.Suspect()
	case found != nil:
		return found, nil
	}
	return nil, g.Suspect()
}

// replay feeds g with what the consoles printed up to a restart, starting after the bytes that
// were read already.
func (w *watch) replay(g *guest.Guest, read []int64, to restart) {
	for i, c := range w.consoles {
		text, err := c.text(c.start()+max(read[i], to.ends[i]-readBack), c.start()+to.ends[i])
		if err != nil {
			continue // g does without what cannot be read
		}
		g.Print(i, text, to.ends[i], to.at)
		read[i] = to.ends[i]
	}
	g.CheckReady(to.at)
}

// how returns how the boot has ended, for the list of boots: as microvm-run reports it if found
// is set, and otherwise QEMU's exit, with the panic that is suspected.
func (w *watch) how(found *guest.Error, suspected *guest.Suspicion, status int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	how := w.last.How()
	switch {
	case found != nil:
		return plaintext.Line(found.How())
	case status != 0:
		how = guest.ExitHow(status)
	}
	if suspected != nil {
		how += "; may have panicked: " + suspected.Message()
	}
	return plaintext.Line(how)
}
