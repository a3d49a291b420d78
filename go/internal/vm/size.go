package vm

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/qemu"
	"microvm-console/internal/state"
	"microvm-console/internal/vmconfig"
)

// size is the size of a terminal, in characters. 0 by 0: unknown.
type size struct{ rows, columns int }

// window is what is known of the terminals on one console.
type window struct {
	sizes map[string]size // by client
	last  string          // the client that has changed its size last
	given size            // what the guest has got
}

// windows are those of a machine, by the names of their consoles.
type windows struct {
	changed chan struct{} // with room for one: a size, or the one that counts is another

	mu sync.Mutex
	of map[string]*window
}

func newWindows() *windows {
	return &windows{changed: make(chan struct{}, 1), of: map[string]*window{}}
}

// forget forgets what the guest has got: it has restarted.
func (ws *windows) forget() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.of {
		w.given = size{}
	}
}

// change calls f with the window of a console, which it may change.
func (ws *windows) change(console string, f func(*window)) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := ws.of[console]
	if w == nil {
		w = &window{sizes: map[string]size{}}
		ws.of[console] = w
	}
	f(w)
}

// Size takes note of the size of a client's terminal. See ctl.SizeRequest.
func (v *VM) Size(request ctl.SizeRequest) error {
	r, err := v.relayOf(request.Console)
	if err != nil {
		return err
	}
	there := r.Status().Clients
	v.windows.change(request.Console, func(w *window) {
		for client := range w.sizes { // a client that has gone is forgotten
			if !slices.ContainsFunc(there, func(c state.Client) bool { return c.Client == client }) {
				delete(w.sizes, client)
			}
		}
		w.sizes[request.Client], w.last = size{request.Rows, request.Columns}, request.Client
	})
	notify(v.windows.changed)
	return nil
}

// fit gives the guest the sizes of terminals, as they are told and as the
// writer's seat moves. It lives as long as QEMU.
func (v *VM) fit() {
	byQEMU := false
	for asked := false; ; {
		select {
		case <-v.qemu.process.Done():
			return
		case <-v.windows.changed:
		}
		if !asked {
			asked, byQEMU = true, v.knows(commandResize)
		}
		for i, console := range v.machine.Consoles {
			if want, ok := v.wanted(i, console.Name); ok && v.resize(console, want, byQEMU) {
				v.windows.change(console.Name, func(w *window) { w.given = want })
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
	v.windows.change(console, func(w *window) {
		if writer == "" {
			writer = w.last
		}
		want = w.sizes[writer]
		ok = want != size{} && want != w.given
	})
	return want, ok
}

// commandResize is a command of QEMU's monitor that tells a virtio-console its
// size. QEMU 10.2 does not have it yet.
const commandResize = "chardev-window-size-changed"

// knows tells whether QEMU's monitor has a command.
func (v *VM) knows(command string) bool {
	limit, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	var commands []struct{ Name string }
	err := v.qemu.monitor.Execute(limit, "query-commands", nil, &commands)
	return err == nil && slices.ContainsFunc(commands, func(c struct{ Name string }) bool { return c.Name == command })
}

// sizeLimit is how long a guest may take to be told a size.
const sizeLimit = 5 * time.Second

// resize tells the guest the size of a console: by QEMU where that can, else by
// the agent. Where neither can, the guest does not get it.
func (v *VM) resize(console vmconfig.Console, to size, byQEMU bool) (done bool) {
	limit, cancel := context.WithTimeoutCause(context.Background(), sizeLimit, errors.New("no answer"))
	defer cancel()
	if byQEMU && !console.IsSerial() {
		return v.qemu.monitor.Execute(limit, commandResize, struct {
			ID      string `json:"id"`
			Columns int    `json:"cols"`
			Rows    int    `json:"rows"`
		}{qemu.ChardevID(console), to.columns, to.rows}, nil) == nil
	}
	return v.Status().Agent && v.qemu.agent.SetConsoleSize(limit, console.Device, to.rows, to.columns) == nil
}
