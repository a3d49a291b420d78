// Package relay stands between a virtual machine's console and everybody who
// reads or types there: it keeps every byte in a journal, and serves many clients from
// it.
//
// Invariants:
//   - The guest never waits for a client: the VM side is always drained.
//   - Every byte that QEMU wrote is in the journal exactly once, in order; where
//     that is impossible, there is a gap with its place, size and cause.
//   - A client sees the journal from its offset to now, then live: no gap, no
//     repeat. It costs no more than its offset, and a slow one delays only itself. One
//     that has gone holds nothing, also while the guest does not read.
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

	"microvm-console/internal/journal"
)

// Config is what a relay works with.
type Config struct {
	// Dir is the relay's folder, which exists: vm.in and vm.out are in it.
	Dir string
	// Journal keeps the bytes. The relay closes it when it finishes.
	Journal *journal.Journal
	// Listeners are the endpoints to connect to. The relay closes them.
	Listeners []net.Listener
	// Socket is the path of the Unix socket among them, for status.
	Socket string
	// In and Out are the paths of the public FIFOs; "" for none. One that cannot be made,
	// as something else has its name, is left to Renew.
	In, Out string
	// PTY is an endpoint that is a terminal; nil for none. The relay closes it.
	PTY *PTY
	// Drops tells that who prints may not wait while vm.out is full, but drop what does
	// not fit: QEMU's virtio console does.
	Drops bool
	// OutputOnly drops what clients type: the device only prints.
	OutputOnly bool
	// OwnBoots has a boot begin also without Boot: at the first byte after Gone,
	// once all that was printed before was taken.
	OwnBoots bool
	// Seated is called when somebody has taken or left the writer's seat. nil:
	// nobody wants to know. It must not wait.
	Seated func()
}

// Relay is the relay of one console, or of one channel.
type Relay struct {
	config Config
	out    *os.File // vm.out: what the machine prints
	input  *input

	serving context.Context // ends when the clients have to go
	dismiss context.CancelFunc
	clients sync.WaitGroup
	group   errgroup.Group // what Run waits for in the end

	renewing sync.Mutex // held while an endpoint's name is looked at and made again

	mu        sync.Mutex
	listeners []net.Listener
	ins       []*inFIFO // the last one has its name
	doors     []*watched
	joined    []*client       // in the order in which they came
	crowded   int             // how many were refused, as there were ctl.MaxClients
	writer    *writer         // who has the writer's seat; nil: nobody
	running   bool            // Run has begun
	closing   bool            // nobody joins any more
	machine   context.Context // ends when the machine goes; nil: none is attached
	detach    context.CancelFunc
	came      chan struct{} // closed when a machine is attached

	answered int64 // behind the last question that answerProbes has answered

	weak atomic.Bool  // the journal's file system cannot splice
	own  atomic.Int32 // with OwnBoots, where one begins: ownNone, ownLeft, ownNext
}

// New makes the FIFOs. QEMU plugs in as the chardev `pipe,path=VMPath`. The
// caller calls Run, or Abandon. On an error the journal, the listeners and the
// PTY stay the caller's.
func New(config Config) (*Relay, error) {
	r := &Relay{config: config, listeners: config.Listeners, came: make(chan struct{})}
	r.serving, r.dismiss = context.WithCancel(context.Background())
	out, in, err := openPair(config.Dir)
	if err != nil {
		return nil, err
	}
	r.out, r.input = out, newInput(in, config.OutputOnly)
	_ = r.Renew()
	if config.PTY == nil {
		return r, nil
	}
	pty, err := r.watch(config.PTY) // the last: an error leaves it to the caller
	if err != nil {
		r.closeVMSide()
		r.closeDoors()
		return nil, err
	}
	r.doors = append(r.doors, pty)
	return r, nil
}

// watchOut opens the public FIFO from the guest.
func (r *Relay) watchOut() (*watched, error) {
	fifo, err := newOutFIFO(r.config.Out, func() int64 {
		_, end := r.config.Journal.Range()
		return end
	})
	if err != nil {
		return nil, err
	}
	door, err := r.watch(fifo)
	if err != nil {
		fifo.file.Close()
	}
	return door, err
}

// VMPath is what QEMU is given as the path of its pipe: it adds .in and .out.
func VMPath(dir string) string { return filepath.Join(dir, "vm") }

// SocketPath is where the Unix socket of a machine's relay is.
func SocketPath(dir string) string { return filepath.Join(dir, "sock") }

// Run relays until Finish has been called and all that the machine printed is
// in the journal and with the clients; slow clients are cut off then.
func (r *Relay) Run() error {
	r.mu.Lock()
	r.running = true
	for _, listener := range r.listeners {
		r.group.Go(func() error { return r.accept(listener) })
	}
	for _, door := range r.doors {
		r.group.Go(func() error { return r.attend(door) })
	}
	for _, in := range r.ins {
		r.group.Go(func() error { return in.hand(r) })
	}
	r.mu.Unlock()
	r.group.Go(r.input.run)
	drained := r.drain()
	closed := r.config.Journal.Close()
	r.input.close()
	r.farewell()
	err := errors.Join(drained, closed, r.group.Wait())
	r.closeDoors()
	return err
}

// Finish tells that the machine has ended: nothing more will be printed. It
// does not wait; Run returns when all is done.
func (r *Relay) Finish() { wake(r.out) }

// Abandon closes a relay that is not run.
func (r *Relay) Abandon() {
	r.closeVMSide()
	r.closeDoors()
	for _, listener := range r.listeners {
		listener.Close()
	}
	_ = r.config.Journal.Close() // nothing was written
}

func (r *Relay) closeVMSide() {
	r.dismiss()
	r.out.Close()
	r.input.close()
}

func (r *Relay) closeDoors() {
	for _, door := range r.doors {
		door.close()
	}
	for _, in := range r.ins {
		in.file.Close()
	}
}

// Journal is the relay's journal.
func (r *Relay) Journal() *journal.Journal { return r.config.Journal }
