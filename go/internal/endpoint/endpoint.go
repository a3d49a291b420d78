// Package endpoint holds the ways to connect to a relay: sockets, FIFOs and a
// pseudo-terminal.
//
// Each of them has Serve(ctx, relay), which accepts clients until ctx or the relay ends,
// serves those that are there until they leave, and returns after all that it has started
// has ended. So another endpoint can take the name of one whose ctx has ended, while the
// clients of the old one stay. Serve closes the endpoint; Close is for one that is not
// served.
package endpoint

import (
	"context"
	"errors"

	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
)

// accepting returns a context that ends with ctx, or when no client can join r any more.
func accepting(ctx context.Context, r *relay.Relay) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.Closing(), cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// isEnd reports whether err is that of a client whose machine has ended.
func isEnd(err error) bool {
	return errors.Is(err, journal.ErrClosed) || errors.Is(err, relay.ErrFinished)
}
