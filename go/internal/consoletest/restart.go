package consoletest

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// errRestarted is the cause of a context that ends because the guest has restarted.
var errRestarted = errors.New("the guest restarted")

// Restarts ends the check that runs when the guest restarts, if that check needs one boot of the
// guest. A later check runs in the new boot.
type Restarts struct {
	mu        sync.Mutex
	interrupt context.CancelCauseFunc // ends the check; nil: none
}

// Note is called when the guest has restarted.
func (r *Restarts) Note() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.interrupt != nil {
		r.interrupt(errRestarted)
	}
}

// end returns run with a context that ends when the guest restarts: no answer follows then.
func (r *Restarts) end(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		r.set(cancel)
		defer r.set(nil)
		err := run(ctx)
		if err != nil && errors.Is(context.Cause(ctx), errRestarted) && !errors.Is(err, errRestarted) {
			return fmt.Errorf("%w: %w", err, errRestarted)
		}
		return err
	}
}

// set sets the function that Note calls.
func (r *Restarts) set(interrupt context.CancelCauseFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interrupt = interrupt
}

// withRestarts returns run with an error that names the restarts of the guest while it ran: the
// last line in it may be from the middle of a later boot. count returns the number of restarts
// so far. If the machine has ended, the cause says more.
func withRestarts(count func() int, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		before := count()
		err := run(ctx)
		restarts := count() - before
		switch {
		case err == nil || restarts == 0 || errors.Is(err, ErrEnded):
			return err
		case restarts == 1:
			return fmt.Errorf("%w (the guest restarted once)", err)
		}
		return fmt.Errorf("%w (the guest restarted %d times)", err, restarts)
	}
}
