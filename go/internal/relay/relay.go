// Package relay stands between a virtual machine's console and everybody who
// reads or types there: it keeps every byte in a journal, and serves any number
// of clients from it.
//
// Invariants:
//   - The guest never waits for a client: the VM side is always drained.
//   - Every byte that QEMU wrote is in the journal exactly once, in order; where
//     that is impossible, there is a gap with its place, size and cause.
//   - A client sees the journal from its offset to now, then live: no gap, no
//     repeat. It costs no more than its offset, and a slow one delays only itself.
//   - When Run returns, nothing that the relay started is left.
package relay

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/ctl"
	"microvm-console/internal/journal"
)

// Config is what a relay works with.
type Config struct {
	// Dir is the relay's folder, which exists: vm.in, vm.out and sock are in
	// it.
	Dir string
	// Journal keeps the bytes. The relay closes it when it finishes.
	Journal *journal.Journal
	// Listeners are further endpoints, as TCP ports. The relay closes them.
	Listeners []net.Listener
}

// Relay is the relay of one console.
type Relay struct {
	config Config
	out    *os.File // vm.out: what the machine prints
	input  *input

	finish   chan struct{} // closed by Finish
	finished sync.Once
	serving  context.Context // ends when the clients have to go
	dismiss  context.CancelFunc
	clients  sync.WaitGroup

	mu       sync.Mutex
	joined   []*client // in the order in which they came
	closing  bool      // nobody joins any more
	attached bool
	gaps     []ctl.Gap

	weak atomic.Bool // the journal's file system cannot splice
}

// New makes the FIFO pair and the Unix socket. QEMU plugs in as the chardev
// `pipe,path=VMPath`. The caller calls Run, or Abandon.
func New(config Config) (*Relay, error) {
	out, in, err := openPair(config.Dir)
	if err != nil {
		return nil, err
	}
	listener, err := listenUnix(SocketPath(config.Dir))
	if err != nil {
		out.Close()
		in.Close()
		return nil, err
	}
	config.Listeners = append([]net.Listener{listener}, config.Listeners...)
	r := &Relay{config: config, out: out, input: newInput(in), finish: make(chan struct{})}
	r.serving, r.dismiss = context.WithCancel(context.Background())
	return r, nil
}

// VMPath is what QEMU is given as the path of its pipe: it adds .in and .out.
func VMPath(dir string) string { return filepath.Join(dir, "vm") }

// SocketPath is the relay's Unix socket.
func SocketPath(dir string) string { return filepath.Join(dir, "sock") }

// Run relays until Finish has been called and all that the machine printed is
// in the journal and with the clients; slow clients are cut off then.
func (r *Relay) Run() error {
	var group errgroup.Group
	for _, listener := range r.config.Listeners {
		group.Go(func() error { return r.accept(listener) })
	}
	group.Go(r.input.run)
	drained := r.drain()
	closed := r.config.Journal.Close()
	r.input.close()
	r.farewell()
	return errors.Join(drained, closed, group.Wait())
}

// Finish tells that the machine has ended: nothing more will be printed. It
// does not wait; Run returns when all is done.
func (r *Relay) Finish() {
	r.finished.Do(func() { close(r.finish) })
	wake(r.out)
}

// Abandon closes a relay that is not run.
func (r *Relay) Abandon() {
	r.out.Close()
	r.input.close()
	r.dismiss()
	for _, listener := range r.config.Listeners {
		listener.Close()
	}
	_ = r.config.Journal.Close() // nothing was written
}

// Attach tells whether a machine has the VM side open; for status.
func (r *Relay) Attach(attached bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attached = attached
}

// Journal is the relay's journal.
func (r *Relay) Journal() *journal.Journal { return r.config.Journal }
