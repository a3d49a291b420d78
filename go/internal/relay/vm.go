package relay

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// vm is the state of the machine at the other end of the FIFOs.
type vm struct {
	boots   atomic.Int32                  // bootKnown, bootLeaving or bootNext
	onEmpty atomic.Pointer[chan struct{}] // closed once the pipe is empty; nil if no Boot is waiting

	mu       sync.Mutex
	attached bool
	until    context.Context // canceled when attached changes
	change   context.CancelFunc
}

// The states of a relay with Config.OwnBoots. Without a call to Boot, a boot begins at
// the first byte after a VM has gone and all its output has been taken.
const (
	bootKnown   int32 = iota // a VM is attached or about to start
	bootLeaving              // the VM has gone; some of its output has not been taken
	bootNext                 // the next byte begins a boot
)

func newVM() *vm {
	v := &vm{}
	v.until, v.change = context.WithCancel(context.Background())
	return v
}

// state reports whether a VM is attached, and returns a context that is canceled when that
// changes.
func (v *vm) state() (attached bool, until context.Context) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.attached, v.until
}

func (v *vm) setAttached(attached bool) (changed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if attached == v.attached {
		return false
	}
	v.attached = attached
	v.change()
	v.until, v.change = context.WithCancel(context.Background())
	return true
}

// emptied records that all output has been taken.
func (v *vm) emptied() {
	v.boots.CompareAndSwap(bootLeaving, bootNext)
	if waiting := v.onEmpty.Swap(nil); waiting != nil {
		close(*waiting)
	}
}

// drainLimit is how long Boot waits for the output of the previous VM. If that one still
// runs, the output does not end.
const drainLimit = 2 * time.Second

// Boot prepares the relay for a VM that is about to start, and returns the number of its
// boot. It first takes the output of the previous VM and discards pending input, which
// would otherwise be typed into the new one. Boot must not be called concurrently.
func (r *Relay) Boot() (int, error) {
	drained := make(chan struct{})
	r.vm.onEmpty.Store(&drained)
	if r.Unread() > 0 {
		select {
		case <-drained:
		case <-time.After(drainLimit):
		}
	}
	if err := r.DropInput(); err != nil {
		return 0, err
	}
	r.vm.boots.Store(bootKnown)
	return r.journal.Boot()
}

// EndBoot records how the newest boot ended; see journal.Journal.EndBoot.
func (r *Relay) EndBoot(how string) { r.journal.EndBoot(how) }

// NoteReady records that the guest is ready; see journal.Journal.NoteReady.
func (r *Relay) NoteReady(by string) { r.journal.NoteReady(by) }

// NoteRestart records that the guest restarted by itself; see
// journal.Journal.NoteRestart.
func (r *Relay) NoteRestart() { r.journal.NoteRestart() }

// DropInput discards input that the guest has not read.
func (r *Relay) DropInput() error { return r.in.flush() }

// SetAttached records whether a VM has the VM side open, and reports whether that
// changed.
func (r *Relay) SetAttached(attached bool) (changed bool) {
	if attached {
		r.vm.boots.CompareAndSwap(bootLeaving, bootKnown)
	}
	return r.vm.setAttached(attached)
}

// Gone records that the VM has gone or that none is attached. With OwnBoots, output that
// arrives after the pipe was empty belongs to another boot.
func (r *Relay) Gone() {
	if r.ownBoots {
		r.vm.boots.CompareAndSwap(bootKnown, bootLeaving)
	}
	if r.Unread() == 0 {
		r.vm.emptied()
	}
}

// AwaitVM waits until a VM is attached, and returns a context that is canceled when it
// goes. It returns nil if ctx is done first.
func (r *Relay) AwaitVM(ctx context.Context) context.Context {
	for ctx.Err() == nil {
		attached, until := r.vm.state()
		if attached {
			return until
		}
		select {
		case <-until.Done():
		case <-ctx.Done():
		}
	}
	return nil
}
