package consoletest

import (
	"context"
	"errors"
	"fmt"
)

// errRestarted is the cause of a context that ends because the guest has restarted.
var errRestarted = errors.New("the guest restarted")

// NoteRestart ends the check that runs if it needs one boot of the guest. The caller calls it when
// the guest has restarted. A later check runs in the new boot.
func (s *Suite) NoteRestart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.interrupt != nil {
		s.interrupt(errRestarted)
	}
}

// inOneBoot returns run with a context that ends when the guest restarts: no answer follows then.
func (s *Suite) inOneBoot(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		s.onRestart(cancel)
		defer s.onRestart(nil)
		err := run(ctx)
		if err != nil && errors.Is(context.Cause(ctx), errRestarted) && !errors.Is(err, errRestarted) {
			return fmt.Errorf("%w: %w", err, errRestarted)
		}
		return err
	}
}

// onRestart sets the function that NoteRestart calls; nil: none.
func (s *Suite) onRestart(interrupt context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupt = interrupt
}
