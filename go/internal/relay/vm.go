package relay

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// vm is what is known of the machine at the other end of the FIFOs.
type vm struct {
	boots   atomic.Int32                  // where the next boot begins: one of the constants below
	onEmpty atomic.Pointer[chan struct{}] // closed once the pipe is empty; nil: no Boot waits

	mu       sync.Mutex
	attached bool
	until    context.Context // ends when attached changes
	change   context.CancelFunc
}

// With Config.OwnBoots, a boot that was not announced begins at the first byte after a
// machine has gone and all that it printed has been taken.
const (
	bootKnown   int32 = iota // a machine is attached, or about to start
	bootLeaving              // it has gone; what it printed has not all been taken
	bootNext                 // the next byte begins a boot
)

func newVM() *vm {
	v := &vm{}
	v.until, v.change = context.WithCancel(context.Background())
	return v
}

// state returns whether a machine is attached, and a context that ends when that changes.
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

// emptied notes that all that was printed has been taken.
func (v *vm) emptied() {
	v.boots.CompareAndSwap(bootLeaving, bootNext)
	if waiting := v.onEmpty.Swap(nil); waiting != nil {
		close(*waiting)
	}
}

// drainLimit bounds how long Boot waits for what the last machine has left: one that is
// still there prints on.
const drainLimit = 2 * time.Second

// Boot makes the relay ready for a machine that is about to start, and returns the number
// of its boot. What the last one has printed is taken first; what was typed since then is
// dropped, or it would be typed into this one. There is one Boot at a time.
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

// EndBoot records how the newest boot has ended; see journal.Journal.EndBoot.
func (r *Relay) EndBoot(how string) { r.journal.EndBoot(how) }

// NoteRestart records that the guest has restarted by itself; see
// journal.Journal.NoteRestart.
func (r *Relay) NoteRestart() { r.journal.NoteRestart() }

// DropInput drops what was typed and no guest has read.
func (r *Relay) DropInput() error { return r.in.flush() }

// SetAttached notes whether a machine has the VM side open, and reports whether that is
// new.
func (r *Relay) SetAttached(attached bool) (changed bool) {
	if attached {
		r.vm.boots.CompareAndSwap(bootLeaving, bootKnown)
	}
	return r.vm.setAttached(attached)
}

// Gone notes that a machine has gone, or that none is attached: with OwnBoots, what is
// printed once the pipe is empty is another's.
func (r *Relay) Gone() {
	if r.ownBoots {
		r.vm.boots.CompareAndSwap(bootKnown, bootLeaving)
	}
	if r.Unread() == 0 {
		r.vm.emptied()
	}
}

// AwaitVM waits until a machine is attached, and returns a context that ends when it goes.
// It returns nil if ctx ends first.
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
