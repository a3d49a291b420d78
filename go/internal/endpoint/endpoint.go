// Package endpoint provides the endpoints by which clients connect to a relay: sockets,
// FIFOs and a pseudo-terminal.
//
// Each endpoint has a method Serve(ctx, relay). It accepts clients until ctx is done or
// relay.Closing is, serves the connected ones until they leave, and returns after
// everything it started has ended. So, after ctx is canceled, another endpoint can take
// over the name while the old one's clients stay connected. Serve closes the endpoint. A
// caller that opens an endpoint and does not call Serve must call Close.
package endpoint

import (
	"errors"

	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
)

// isEnd reports whether err is returned because the VM has ended.
func isEnd(err error) bool {
	return errors.Is(err, journal.ErrClosed) || errors.Is(err, relay.ErrFinished)
}
