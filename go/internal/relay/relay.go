// Package relay stands between the console of a virtual machine and those who read or
// type there: it keeps every byte in a journal, and serves many clients from it.
//
// Invariants:
//   - The guest never waits for a client: the VM side is always drained.
//   - Every byte that QEMU wrote is in the journal exactly once, in order. If that is
//     impossible, there is a gap with its place, size and cause.
//   - A client sees the journal from its offset to now, then live: no gap, no
//     repeat. It costs no more than its offset, and a slow one delays only itself. One
//     that has gone holds nothing, also while the guest does not read.
//   - When Run returns, nothing that the relay started is left.
//
// What accepts clients, such as a socket, is not the relay's: see package endpoint.
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

// Config is what a relay works with.
type Config struct {
	// Dir is the relay's folder, which exists: vm.in and vm.out are in it.
	Dir string
	// Journal keeps the bytes. The relay closes it when it finishes.
	Journal *journal.Journal
	// Drops is set if a VM that finds vm.out full does not wait, but drops what does not
	// fit: QEMU's virtio console does.
	Drops bool
	// OutputOnly drops what clients type: the device only prints.
	OutputOnly bool
	// OwnBoots has a boot begin also without Boot: at the first byte after Gone,
	// once all that was printed before has been taken.
	OwnBoots bool
	// SeatMoved is called when the writer's seat was taken or left. It must not wait.
	// nil: it is not called.
	SeatMoved func()
}

// Relay is the relay of one console. New makes it, Run runs it once.
type Relay struct {
	journal  *journal.Journal
	ownBoots bool
	out      *output
	in       *input
	clients  *roster
	seat     *seat
	vm       *vm
	prober   *prober
}

// New makes the FIFOs. QEMU's end is the chardev `pipe,path=VMPath`. The caller calls Run,
// or Abandon. On an error the journal stays the caller's.
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
		clients:  newRoster(),
		seat:     &seat{moved: config.SeatMoved},
		vm:       vm,
	}
	if config.Drops {
		r.out.overrun = overrun
	}
	_, end := r.journal.Range()
	r.prober = &prober{relay: r, answered: end}
	return r, nil
}

// VMPath returns what QEMU is given as the path of its pipe: it adds .in and .out.
func VMPath(dir string) string { return filepath.Join(dir, "vm") }

// Run relays until Finish has been called and all that the machine printed is
// in the journal and with the clients; slow clients are cut off then.
func (r *Relay) Run() error {
	var group errgroup.Group
	group.Go(r.in.run)
	drained := r.out.drain(r.prober.answer)
	closed := r.journal.Close()
	r.in.close()
	r.vm.setAttached(false)
	r.clients.dismiss(lastReads)
	return errors.Join(drained, closed, group.Wait())
}

// Finish ends the relay once all that was printed has been taken: the VM has ended, and
// nothing more will come. It does not wait for Run.
func (r *Relay) Finish() { descriptor.Wake(r.out.fifo) }

// Abandon closes a relay that is not run.
func (r *Relay) Abandon() {
	r.out.fifo.Close()
	r.in.close()
	r.clients.dismiss(0)
	_ = r.journal.Close() // nothing was written
}

// Closing ends when no client can join any more: the VM has ended.
func (r *Relay) Closing() context.Context { return r.clients.closing }

// Journal returns the relay's journal.
func (r *Relay) Journal() *journal.Journal { return r.journal }

// Held reports whether a QEMU has the VM side open.
func (r *Relay) Held() bool { return openers.Held(r.out.fifo) }

// Unread returns how many bytes the machine has printed that are not in the journal yet.
func (r *Relay) Unread() int {
	defer r.journal.AwaitWrite() // what is on its way is in neither
	return descriptor.Unread(r.out.fifo)
}

// Printed returns the offset behind the newest byte that the machine has printed,
// whether it is in the journal or still on its way there.
func (r *Relay) Printed() int64 {
	for {
		_, before := r.journal.Range()
		unread := r.Unread()
		// What left the pipe meanwhile would count twice, or not at all.
		if _, end := r.journal.Range(); end == before {
			return end + int64(unread)
		}
	}
}

// BootStart returns the offset at which the newest boot began: where the stream ends, if
// there was none.
func (r *Relay) BootStart() int64 {
	start, _, _ := r.journal.BootRange(0)
	return start
}

// Status returns the relay's state now. Its Socket is left empty.
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
