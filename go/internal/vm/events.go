package vm

import (
	"encoding/json"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/qemu"
	"microvm-console/internal/qmp"
)

// shutdown is the data of QEMU's events SHUTDOWN and RESET.
type shutdown struct {
	Guest  bool   `json:"guest"`
	Reason string `json:"reason"` // "guest-shutdown", "host-qmp-quit", …
}

// events are QEMU's, as they come. Each channel has room for one.
type events struct {
	guest   *guest.Guest
	outputs *outputs
	windows *windows

	printed   chan struct{} // a console has printed something
	restarted chan struct{} // the guest has restarted
	panicked  chan struct{} // QEMU's panic device was written to
	port      chan struct{} // the guest has opened or closed its agent's port
	halted    chan struct{} // QEMU has stopped the guest's processors

	// They are read once the monitor has ended.
	last   shutdown // of the last SHUTDOWN
	device bool     // QEMU's panic device was written to
}

func newEvents(g *guest.Guest, o *outputs, w *windows) *events {
	one := func() chan struct{} { return make(chan struct{}, 1) }
	return &events{
		guest: g, outputs: o, windows: w,
		printed: one(), restarted: one(), panicked: one(), port: one(), halted: one(),
	}
}

// take takes an event. It is called by the monitor's reader, and does not wait.
func (e *events) take(event qmp.Event) {
	var data shutdown
	_ = json.Unmarshal(event.Data, &data) // of another event it is other data
	switch {
	case event.Name == "SHUTDOWN":
		e.last = data
	case event.Name == "RESET" && data.Guest:
		e.guest.Reset(e.outputs.written(), time.Now())
		e.windows.forget()
		notify(e.restarted)
	case event.Name == "VSERPORT_CHANGE":
		e.portChanged(event.Data)
	case event.Name == "STOP":
		notify(e.halted)
	case event.Name == "GUEST_PANICKED":
		e.device = true
		notify(e.panicked)
	}
}

// portChanged takes whether the guest has its agent's port open.
func (e *events) portChanged(data json.RawMessage) {
	var port struct {
		ID   string
		Open bool
	}
	if json.Unmarshal(data, &port) != nil || port.ID != qemu.AgentPort {
		return // another port, of the user's
	}
	e.guest.SetPort(port.Open)
	notify(e.port)
}

// notify makes a channel with room for one ready.
func notify(event chan<- struct{}) {
	select {
	case event <- struct{}{}:
	default:
	}
}
