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

// size is the size of a terminal, in characters. The zero value is an unknown size.
type size struct{ rows, columns int }

// window holds the sizes of the terminals on one console.
type window struct {
	sizes map[string]size // by client
	last  string          // the client whose size has changed last
	given size            // the size that the guest has
}

// windows sets the sizes of the guest's consoles to those of the terminals on them.
type windows struct {
	guest   *guest.Guest
	changed chan struct{} // with room for one: a size or the writer has changed

	mu sync.Mutex
	of map[string]*window // by console
}

func newWindows(g *guest.Guest) *windows {
	return &windows{guest: g, changed: make(chan struct{}, 1), of: map[string]*window{}}
}

// forget forgets the sizes that the guest has, after a restart of the guest.
func (ws *windows) forget() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.of {
		w.given = size{}
	}
}

// change calls f with the window of a console. f may change it.
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

// set sets the size of a client's terminal, and forgets the sizes of disconnected clients.
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

// run sets the sizes in the guest each time a size or a writer changes, until QEMU has ended.
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

// wanted returns the size of the terminal of a console's writer. ok reports whether it is known
// and differs from the size that the guest has.
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

// commandResize is the command of QEMU's monitor that sets the size of a virtio console. QEMU
// 11.1 does not have it yet.
const commandResize = "chardev-window-size-changed"

// sizeLimit bounds one resize.
const sizeLimit = 5 * time.Second

// resize sets the size of a console in the guest, by QEMU if byQEMU is set and the console is a
// virtio console, else by the agent. It reports whether that has worked.
func (ws *windows) resize(q *qemuProcess, console vmconfig.Console, to size, byQEMU bool) bool {
	limit, cancel := context.WithTimeoutCause(context.Background(), sizeLimit, errors.New("no answer"))
	defer cancel()
	if byQEMU && console.IsVirtio() {
		return q.monitor.Execute(limit, commandResize, struct {
			ID      string `json:"id"`
			Columns int    `json:"cols"`
			Rows    int    `json:"rows"`
		}{qemu.ChardevID(console), to.columns, to.rows}, nil) == nil
	}
	return ws.guest.State().Agent && q.agent.SetConsoleSize(limit, console.Device, to.rows, to.columns) == nil
}
