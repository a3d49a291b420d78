// Package relay connects the console of a virtual machine with its clients. It stores
// every byte in a journal and serves any number of clients from there.
//
// Invariants:
//   - The guest never waits for a client: the VM side is always drained.
//   - Every byte that QEMU wrote is in the journal exactly once, in order. If that is
//     impossible, the journal has a gap with its place, size and cause.
//   - A client reads the journal from its offset, then live output, without a gap or a
//     repeat. It costs no more than its offset, and a slow client delays only itself. A
//     client that has disconnected holds no resources, even if the guest does not read.
//   - When Run returns, everything that the relay started has ended.
//
// Package endpoint has the sockets, FIFOs and terminals that accept clients.
package relay

import (
	"context"
	"errors"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/journal"
	"microvm-console/internal/openers"
	"microvm-console/internal/state"
)

// Config configures a relay.
type Config struct {
	// Dir is the relay's existing folder. vm.in and vm.out are created in it.
	Dir string
	// Journal stores the output. Run and Abandon close it.
	Journal *journal.Journal
	// Drops is set if the VM drops output that does not fit into vm.out instead of
	// waiting, as QEMU's virtio console does.
	Drops bool
	// OutputOnly is set if the device only prints. What clients type is discarded.
	OutputOnly bool
	// OwnBoots also begins a boot without a call to Boot: at the first byte after Gone,
	// once all earlier output has been taken.
	OwnBoots bool
	// SeatMoved, if not nil, is called when the writer's seat is taken or given up. It
	// must not block.
	SeatMoved func()
}

// Relay is the relay of one console. Use New to create one. Run can be called once.
type Relay struct {
	journal   *journal.Journal
	ownBoots  bool
	out       *output
	in        *input
	clients   *clientList
	seat      *seat
	vm        *vm
	responder *responder
}

// New creates the FIFOs and the relay. QEMU's end is the chardev `pipe,path=VMPath`. The
// caller must call Run or Abandon. On error, the caller still owns the journal.
func New(config Config) (*Relay, error) {
	out, in, err := openPair(config.Dir)
	if err != nil {
		return nil, err
	}
	vm := newVM()
	r := &Relay{
		journal:  config.Journal,
		ownBoots: config.OwnBoots,
		out:      &output{fifo: out, journal: config.Journal, vm: vm},
		in:       newInput(in, config.OutputOnly),
		clients:  newClientList(),
		seat:     &seat{moved: config.SeatMoved},
		vm:       vm,
	}
	if config.Drops {
		r.out.overrun = overrun
	}
	_, end := r.journal.Range()
	r.responder = &responder{relay: r, answered: end}
	return r, nil
}

// VMPath returns the path of QEMU's pipe chardev. QEMU appends .in and .out to it.
func VMPath(dir string) string { return filepath.Join(dir, "vm") }

// Run relays until Finish has been called, all output is in the journal and the clients
// have read it. Clients that need more than two seconds for that are disconnected.
func (r *Relay) Run() error {
	var group errgroup.Group
	group.Go(r.in.run)
	drained := r.out.drain(r.responder.answer)
	closed := r.journal.Close()
	r.in.close()
	r.vm.setAttached(false)
	r.clients.dismiss(finalReadLimit)
	return errors.Join(drained, closed, group.Wait())
}

// Finish ends the relay once all output has been taken. It is called when the VM has
// ended. It does not wait for Run to return.
func (r *Relay) Finish() { descriptor.Wake(r.out.fifo) }

// Abandon closes a relay for which Run is not called.
func (r *Relay) Abandon() {
	r.out.fifo.Close()
	r.in.close()
	r.clients.dismiss(0)
	_ = r.journal.Close() // nothing was written
}

// Closing returns a context that is canceled when the VM has ended and no client can join
// any more.
func (r *Relay) Closing() context.Context { return r.clients.closing }

// Journal returns the relay's journal.
func (r *Relay) Journal() *journal.Journal { return r.journal }

// Held reports whether a QEMU process has the VM side open.
func (r *Relay) Held() bool { return openers.Held(r.out.fifo) }

// Unread returns the number of bytes that the VM has printed and that are not in the
// journal yet.
func (r *Relay) Unread() int {
	defer r.journal.AwaitWrite() // a write in progress is counted by neither
	return descriptor.Unread(r.out.fifo)
}

// InputUnread returns the number of typed bytes that QEMU has not read yet.
func (r *Relay) InputUnread() int { return r.in.unread() }

// Printed returns the offset just after the last byte that the VM has printed, whether or
// not it is in the journal yet.
func (r *Relay) Printed() int64 {
	for {
		_, before := r.journal.Range()
		unread := r.Unread()
		// Bytes that left the pipe meanwhile would be counted twice or not at all.
		if _, end := r.journal.Range(); end == before {
			return end + int64(unread)
		}
	}
}

// BootStart returns the offset at which the newest boot began, or the end of the stream
// if there was no boot.
func (r *Relay) BootStart() int64 {
	start, _, _ := r.journal.BootRange(0)
	return start
}

// Status returns the current state of the relay, without its Socket.
func (r *Relay) Status() *state.Relay {
	oldest, end := r.journal.Range()
	attached, _ := r.vm.state()
	status := &state.Relay{
		Journal:   r.journal.Dir(),
		Attached:  attached,
		Exact:     r.journal.Exact(),
		Boot:      r.journal.BootNumber(),
		Start:     r.BootStart(),
		Oldest:    oldest,
		End:       end,
		Input:     int(r.in.waiting.Load()),
		FIFOBytes: descriptor.Capacity(r.out.fifo),
		Gaps:      []state.Gap{},
	}
	for _, gap := range r.journal.Gaps() {
		status.Gaps = append(status.Gaps, state.Gap{Offset: gap.Offset, Bytes: gap.Bytes, Cause: gap.Cause})
	}
	if holder := r.seat.current(); holder != nil {
		status.Writer = holder.info.Name
	}
	status.Clients, status.Crowded = r.clients.list(end, status.Writer)
	return status
}
