package relay

import (
	"context"
	"time"

	"microvm-console/internal/journal"
)

// drainLimit bounds how long Boot waits for what the last machine has left: one
// that is still there prints on.
const drainLimit = 2 * time.Second

// Where a boot begins that nobody tells of.
const (
	ownNone int32 = iota // a machine is there, or is about to start
	ownLeft              // none is there; what it has left is not taken yet
	ownNext              // with the next byte
)

// Boot makes the relay ready for a machine that is about to start, and returns
// the number of its boot. What the last one has printed is drained first; what
// was typed since then is dropped, or it would be typed into this one.
func (r *Relay) Boot() (int, error) {
	for deadline := time.Now().Add(drainLimit); r.Unread() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if err := r.DropInput(); err != nil {
		return 0, err
	}
	r.own.Store(ownNone)
	return r.config.Journal.Boot()
}

// DropInput drops what was typed and no guest has read.
func (r *Relay) DropInput() error {
	if err := r.input.flush(); err != nil {
		return err
	}
	r.mu.Lock() // or one of them may be closed meanwhile
	defer r.mu.Unlock()
	for _, in := range r.ins {
		if err := empty(in.file); err != nil {
			return err
		}
	}
	return nil
}

// Attach tells whether a machine has the VM side open. What is written to the
// public FIFO is handed on only then.
func (r *Relay) Attach(attached bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case attached == (r.machine != nil):
		return
	case attached:
		r.own.CompareAndSwap(ownLeft, ownNone)
		r.machine, r.detach = context.WithCancel(r.serving)
		close(r.came)
	default:
		r.detach()
		r.machine, r.came = nil, make(chan struct{})
	}
}

// Gone tells that a machine has gone, or that none is there: with OwnBoots, what
// is printed once the pipe is empty is another's.
func (r *Relay) Gone() {
	if r.config.OwnBoots {
		r.own.CompareAndSwap(ownNone, ownLeft)
	}
	if r.Unread() == 0 {
		r.nextBegins()
	}
}

// nextBegins tells that what the last machine printed has been taken.
func (r *Relay) nextBegins() { r.own.CompareAndSwap(ownLeft, ownNext) }

// awaitMachine waits until a machine is attached, and returns a context that
// ends with it; nil where the relay ends.
func (r *Relay) awaitMachine() context.Context {
	for {
		r.mu.Lock()
		machine, came := r.machine, r.came
		r.mu.Unlock()
		switch {
		case r.serving.Err() != nil:
			return nil
		case machine != nil:
			return machine
		}
		select {
		case <-came:
		case <-r.serving.Done():
		}
	}
}

// bootStart is where the newest boot began; where the stream ends, if there was
// none.
func bootStart(j *journal.Journal) int64 {
	start, _, err := j.BootRange(0)
	if err != nil {
		_, start = j.Range()
	}
	return start
}
