package relay

import (
	"sync/atomic"
	"time"
)

// drainLimit bounds how long Boot waits for what the last machine has left: one
// that is still there prints on.
const drainLimit = 2 * time.Second

// Boot makes the relay ready for a machine that is about to start, and returns
// the number of its boot. What the last one has printed is taken first; what
// was typed since then is dropped, or it would be typed into this one.
func (r *Relay) Boot() (int, error) {
	for deadline := time.Now().Add(drainLimit); r.Unread() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if err := r.DropInput(); err != nil {
		return 0, err
	}
	r.out.boots.announced()
	return r.journal.Boot()
}

// EndBoot records how the newest boot has ended; see journal.Journal.EndBoot.
func (r *Relay) EndBoot(how string) { r.journal.EndBoot(how) }

// NoteRestart records that the guest has restarted by itself; see
// journal.Journal.NoteRestart.
func (r *Relay) NoteRestart() { r.journal.NoteRestart() }

// DropInput drops what was typed and no guest has read.
func (r *Relay) DropInput() error { return r.in.flush() }

// SetAttached says whether a machine has the VM side open, and reports whether that is
// new. See AwaitVM.
func (r *Relay) SetAttached(attached bool) (changed bool) {
	if attached {
		r.out.boots.attached()
	}
	return r.vm.set(attached)
}

// Gone says that a machine has gone, or that there is none: with OwnBoots, what
// is printed once the pipe is empty is another's.
func (r *Relay) Gone() {
	r.out.boots.gone()
	if r.Unread() == 0 {
		r.out.boots.drained()
	}
}

// ownBoots decides where a boot begins that Boot does not announce: at the first byte
// after a machine has gone and all that it printed has been taken.
type ownBoots struct {
	enabled bool
	phase   atomic.Int32
}

const (
	bootKnown   int32 = iota // a machine is attached, or about to start
	bootLeaving              // it has gone; what it printed has not all been taken
	bootNext                 // the next byte begins a boot
)

func (b *ownBoots) announced() { b.phase.Store(bootKnown) }

func (b *ownBoots) attached() { b.phase.CompareAndSwap(bootLeaving, bootKnown) }

func (b *ownBoots) gone() {
	if b.enabled {
		b.phase.CompareAndSwap(bootKnown, bootLeaving)
	}
}

func (b *ownBoots) drained() { b.phase.CompareAndSwap(bootLeaving, bootNext) }

// pending reports whether the next byte begins a boot.
func (b *ownBoots) pending() bool { return b.phase.Load() == bootNext }

// begin begins it, and reports whether that was still to be done.
func (b *ownBoots) begin() bool { return b.phase.CompareAndSwap(bootNext, bootKnown) }
