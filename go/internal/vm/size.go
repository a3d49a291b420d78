package vm

import (
	"context"
	"errors"
	"slices"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/qemu"
	"microvm-console/internal/spec"
	"microvm-console/internal/state"
)

// size is the size of a terminal, in characters. 0 by 0: unknown.
type size struct{ rows, columns int }

// window is what is known of the terminals on one console.
type window struct {
	told  map[string]size // by client
	last  string          // the client that told its size last
	given size            // what the guest has got
}

// Size takes note of the size of a client's terminal. See ctl.SizeRequest.
func (v *VM) Size(request ctl.SizeRequest) error {
	r, err := v.relayOf(request.Console)
	if err != nil {
		return err
	}
	there := r.Status().Clients
	v.mu.Lock()
	defer v.mu.Unlock()
	w := v.windowOf(request.Console)
	for client := range w.told { // what has gone is forgotten
		if !slices.ContainsFunc(there, func(a state.Client) bool { return a.Client == client }) {
			delete(w.told, client)
		}
	}
	w.told[request.Client], w.last = size{request.Rows, request.Columns}, request.Client
	notify(v.resized)
	return nil
}

// windowOf is the window of a console. The caller holds v.mu.
func (v *VM) windowOf(console string) *window {
	w := v.windows[console]
	if w == nil {
		w = &window{told: map[string]size{}}
		v.windows[console] = w
	}
	return w
}

// fit gives the guest the sizes of terminals, as they are told and as the
// writer's seat moves. It lives as long as QEMU.
func (v *VM) fit() {
	byQEMU := false
	for asked := false; ; {
		select {
		case <-v.qemu.Done():
			return
		case <-v.resized:
		}
		if !asked {
			asked, byQEMU = true, v.knows(commandResize)
		}
		for i, console := range v.machine.Consoles {
			if want, ok := v.wanted(i, console.Name); ok && v.resize(console, want, byQEMU) {
				v.mu.Lock()
				v.windowOf(console.Name).given = want
				v.mu.Unlock()
			}
		}
	}
}

// wanted is the size that a console is to have, if it has another one: that of
// who has the writer's seat.
func (v *VM) wanted(i int, console string) (want size, ok bool) {
	consoles := v.allConsoles()
	if i >= len(consoles) {
		return size{}, false
	}
	writer := consoles[i].Relay().Status().Writer
	v.mu.Lock()
	defer v.mu.Unlock()
	w := v.windowOf(console)
	if writer == "" {
		writer = w.last
	}
	want = w.told[writer]
	return want, want != size{} && want != w.given
}

// commandResize is a command of QEMU's monitor that tells a virtio-console its
// size. QEMU 10.2 does not have it yet.
const commandResize = "chardev-window-size-changed"

// knows tells whether QEMU's monitor has a command.
func (v *VM) knows(command string) bool {
	limit, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	var commands []struct{ Name string }
	err := v.monitor.Execute(limit, "query-commands", nil, &commands)
	return err == nil && slices.ContainsFunc(commands, func(c struct{ Name string }) bool { return c.Name == command })
}

// sizeLimit is how long a guest may take to be told a size.
const sizeLimit = 5 * time.Second

// resize tells the guest the size of a console: by QEMU where that can, else by
// the agent. Where neither can, the guest does not get it.
func (v *VM) resize(console spec.Console, to size, byQEMU bool) (done bool) {
	limit, cancel := context.WithTimeoutCause(context.Background(), sizeLimit, errors.New("no answer"))
	defer cancel()
	if byQEMU && !console.IsSerial() {
		return v.monitor.Execute(limit, commandResize, struct {
			ID      string `json:"id"`
			Columns int    `json:"cols"`
			Rows    int    `json:"rows"`
		}{qemu.ChardevID(console), to.columns, to.rows}, nil) == nil
	}
	return v.Status().Agent && v.agent.SetConsoleSize(limit, console.Device, to.rows, to.columns) == nil
}
