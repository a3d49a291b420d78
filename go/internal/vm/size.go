package vm

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
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

// windows give the guest the sizes of the terminals on its consoles.
type windows struct {
	guest   *guest.Guest
	changed chan struct{} // with room for one: a size has changed, or the writer

	mu sync.Mutex
	of map[string]*window // by console
}

func newWindows(g *guest.Guest) *windows {
	return &windows{guest: g, changed: make(chan struct{}, 1), of: map[string]*window{}}
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

// Size sets the size of a client's terminal. See ctl.SizeRequest.
func (v *VM) Size(request ctl.SizeRequest) error {
	r, err := v.consoles.relay(request.Console)
	if err != nil {
		return err
	}
	v.windows.set(request, r.Status().Clients)
	return nil
}

// set sets the size of a client's terminal, and forgets those of clients that have gone.
func (ws *windows) set(request ctl.SizeRequest, clients []state.Client) {
	ws.change(request.Console, func(w *window) {
		for client := range w.sizes {
			if !slices.ContainsFunc(clients, func(c state.Client) bool { return c.Client == client }) {
				delete(w.sizes, client)
			}
		}
		w.sizes[request.Client], w.last = size{request.Rows, request.Columns}, request.Client
	})
	notify(ws.changed)
}

// run gives the guest the sizes as they and the writers change, until QEMU has ended.
func (ws *windows) run(q *qemuProcess, consoles *consoles) {
	byQEMU := false
	for asked := false; ; {
		select {
		case <-q.done():
			return
		case <-ws.changed:
		}
		if !asked {
			asked, byQEMU = true, q.supports(commandResize)
		}
		for i, c := range consoles.all() {
			declared := consoles.declared[i]
			want, ok := ws.wanted(declared.Name, c.Relay().Status().Writer)
			if ok && ws.resize(q, declared, want, byQEMU) {
				ws.change(declared.Name, func(w *window) { w.given = want })
			}
		}
	}
}

// wanted returns the size that a console is to have, if it has another one: that of the
// writer's terminal.
func (ws *windows) wanted(console, writer string) (want size, ok bool) {
	ws.change(console, func(w *window) {
		if writer == "" {
			writer = w.last
		}
		want = w.sizes[writer]
		ok = want != size{} && want != w.given
	})
	return want, ok
}

// commandResize is the command of QEMU's monitor that sets the size of a virtio-console.
// QEMU 10.2 does not have it yet.
const commandResize = "chardev-window-size-changed"

// sizeLimit is how long one resize may take.
const sizeLimit = 5 * time.Second

// resize sets the size of a console in the guest: by QEMU if it can, else by the agent. It
// reports whether the guest has got it.
func (ws *windows) resize(q *qemuProcess, console vmconfig.Console, to size, byQEMU bool) bool {
	limit, cancel := context.WithTimeoutCause(context.Background(), sizeLimit, errors.New("no answer"))
	defer cancel()
	if byQEMU && !console.IsSerial() {
		return q.monitor.Execute(limit, commandResize, struct {
			ID      string `json:"id"`
			Columns int    `json:"cols"`
			Rows    int    `json:"rows"`
		}{qemu.ChardevID(console), to.columns, to.rows}, nil) == nil
	}
	return ws.guest.State().Agent && q.agent.SetConsoleSize(limit, console.Device, to.rows, to.columns) == nil
}
