package vm

import (
	"encoding/json"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/qemu"
	"microvm-console/internal/qmp"
)

// events wakes the watcher and the pinger, by channels with room for one each. It processes QEMU's
// events.
type events struct {
	guest   *guest.Guest
	outputs *outputs
	windows *windows

	activity  chan struct{} // the guest may be ready: a console has printed something, or the agent has answered
	restarted chan struct{} // the guest has restarted
	panicked  chan struct{} // the guest has reported a panic by the panic device
	port      chan struct{} // the guest has opened or closed its agent's port
	off       chan struct{} // the guest has powered off, and QEMU keeps it paused
	runState  chan struct{} // QEMU has stopped the guest's processors, or started them again

	keeps bool // QEMU keeps a guest that restarts or powers off paused; see qemu.Control

	// These fields are read after the monitor has ended.
	last   guest.Shutdown // of the last SHUTDOWN; with keeps, of the guest's power-off
	isOff  bool           // the guest has powered off while QEMU kept it
	device bool           // the guest has reported a panic by the panic device
}

func newEvents(g *guest.Guest, o *outputs, w *windows, keeps bool) *events {
	one := func() chan struct{} { return make(chan struct{}, 1) }
	return &events{
		guest: g, outputs: o, windows: w, keeps: keeps,
		activity: one(), restarted: one(), panicked: one(), off: one(), port: one(), runState: one(),
	}
}

// take processes an event. The monitor's reader calls it; it does not block.
func (e *events) take(event qmp.Event) {
	var data guest.Shutdown
	_ = json.Unmarshal(event.Data, &data) // other events have other data
	switch {
	case event.Name == "SHUTDOWN" && e.keeps && data.Guest:
		e.kept(data)
	case event.Name == "SHUTDOWN" && !e.isOff:
		e.last = data
	case event.Name == "RESET" && data.Guest:
		e.reset()
	case event.Name == "VSERPORT_CHANGE":
		e.portChanged(event.Data)
	case event.Name == "STOP" || event.Name == "RESUME":
		notify(e.runState)
	case event.Name == "GUEST_PANICKED":
		e.device = true
		notify(e.panicked)
	}
}

// kept processes the event that the guest has restarted or powered off, and QEMU keeps it paused.
func (e *events) kept(data guest.Shutdown) {
	if data.Reset() {
		e.reset()
		return
	}
	e.last, e.isOff = data, true // another SHUTDOWN follows when the watcher ends QEMU
	notify(e.off)
}

// reset processes a restart of the guest.
func (e *events) reset() {
	e.guest.Reset(e.outputs.written(), time.Now())
	e.windows.forget()
	notify(e.restarted)
}

// portChanged processes the event that the guest has opened or closed a port.
func (e *events) portChanged(data json.RawMessage) {
	var port struct {
		ID   string
		Open bool
	}
	if json.Unmarshal(data, &port) != nil || port.ID != qemu.AgentPort {
		return // a port of the user's
	}
	e.guest.SetPort(port.Open)
	notify(e.port)
}

// notify sends to event, a channel with room for one, unless a value is in it already.
func notify(event chan<- struct{}) {
	select {
	case event <- struct{}{}:
	default:
	}
}
