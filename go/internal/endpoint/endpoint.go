// Package endpoint holds the ways to connect to a relay: sockets, FIFOs and a
// pseudo-terminal.
//
// Each of them has Serve(ctx, relay), which accepts clients until ctx ends, at the latest
// with relay.Closing, serves those that are there until they leave, and returns after all
// that it has started has ended. So another endpoint can take the name of one whose ctx has
// ended, while the clients of the old one stay. Serve closes the endpoint; Close is for one
// that is not served.
package endpoint

import (
	"errors"

	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
)

// isEnd reports whether err is that of a client whose machine has ended.
func isEnd(err error) bool {
	return errors.Is(err, journal.ErrClosed) || errors.Is(err, relay.ErrFinished)
}
