// Package follow reads the stream of a console or a channel from an offset: first what is
// kept, then live output.
//
// Run reads from a running VM or relay. It reconnects after a connection has broken or
// the owner was replaced, and, if requested, continues with later starts of a VM. Kept
// reads the files of a journal; it needs no running process. Both produce the same
// events.
//
// Guarantees: the bytes are delivered in order, once each, with their offsets. There is
// an event for missing bytes at their place, and one at the start of each boot.
package follow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/journal"
)

const (
	// returnLimit is how long an owner may take to return.
	returnLimit = 5 * time.Second
	// maxTries is how many connections in a row may break without having delivered a
	// byte.
	maxTries = 20
)

// Kind is the kind of an Event.
type Kind int

const (
	// Connected reports a new connection; Target, Offset and Live are set. It is the first
	// event of Run, and the first after each Lost and Ended. A connection that continues after
	// a Gap is not a new one.
	Connected Kind = iota
	// Boot reports that a boot begins at Offset. The boot that is running when reading
	// begins is reported too, if it is read from its first byte.
	Boot
	// Data has bytes from Offset on. Bytes before the offset Live of the connection are
	// history; no event has bytes of both kinds.
	Data
	// Gap reports that bytes are missing before Offset.
	Gap
	// Lost reports that the connection has broken. Run tries to reconnect.
	Lost
	// Ended reports that the stream has ended, or that its owner was killed.
	Ended
)

// Event is a step in the reading of a stream.
type Event struct {
	Kind   Kind
	Offset int64 // of the next byte
	// Live, for Connected, is the offset at which the stream ended at that time.
	Live int64
	// Data is valid until the handler returns.
	Data []byte
	// History is set if Data was printed before the connection was made.
	History bool
	// Missing is the number of missing bytes; -1 if unknown.
	Missing int64
	// Boot is the boot that begins or has ended; the zero value if unknown.
	Boot journal.Boot
	// Target is the other end of the connection.
	Target Target
}

// Request selects what is read of a target, and how.
type Request struct {
	// From and Boot have the meaning of the fields of ctl.StreamRequest.
	From string
	Boot int
	// Client is the name of this reader in the owner's list of clients.
	Client string
	// Terminal is set if the reader is a terminal, which answers the guest's queries.
	Terminal bool
	// Stay makes Run continue with the next start of a VM or relay that has ended.
	Stay bool
	// ReturnLimit is how long Run waits for the replacement of an owner that was killed.
	// 0 means 5 seconds.
	ReturnLimit time.Duration
}

// ErrLost is returned if the connection is lost and cannot be restored.
var ErrLost = errors.New("connection lost")

// errEnded is returned for a connection whose stream has ended.
var errEnded = errors.New("the stream has ended")

// errSlow is returned if the owner has not answered in time. It may have ended.
var errSlow = fmt.Errorf("%w, or its owner is slow", errEnded)

// Run reads from t and calls handle with each event. It returns nil when the stream ends,
// the cause when ctx is done, and the error of handle if that is not nil.
func Run(ctx context.Context, t Target, r Request, handle func(Event) error) error {
	if r.ReturnLimit == 0 {
		r.ReturnLimit = returnLimit
	}
	f := &follower{request: r, target: t, from: r.From, at: &cursor{boots: &boots{}, handle: handle}}
	for tries := 1; ; tries++ {
		err := f.connection(ctx)
		if f.received {
			tries = 0
		}
		if errors.Is(err, ErrLost) && r.Boot == 0 && tries < maxTries && ctx.Err() == nil {
			err = f.reconnect(ctx)
		}
		if errors.Is(err, errEnded) && ctx.Err() == nil {
			if err := f.reportEnd(ctx); err != nil || !r.Stay {
				return err
			}
			err = f.awaitStart(ctx, errors.Is(err, errSlow))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// follower is the state of one Run.
type follower struct {
	request  Request
	target   Target
	from     string // where the next connection begins
	at       *cursor
	opened   bool // there was a connection
	received bool // the current connection has delivered bytes
	link     link
}

// link is the state of a connection.
type link int

const (
	whole  link = iota
	broken      // after it delivered bytes; Lost has not been reported
	lost        // Lost has been reported
)

// open makes a connection. It returns ErrLost if there was one before and no other can be made.
func (f *follower) open(ctx context.Context) (*ctl.Stream, error) {
	stream, err := f.target.Client.Stream(ctx, ctl.StreamRequest{
		Console: f.target.Console.Name, From: f.from, Boot: f.request.Boot,
		Client: f.request.Client, Terminal: f.request.Terminal, Gaps: true,
	})
	if err == nil || !f.opened {
		return stream, err
	}
	if err := f.reportLost(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrLost, err)
}

// connection reads from one connection. It returns errEnded when the stream ends, and
// ErrLost when the connection breaks.
func (f *follower) connection(ctx context.Context) error {
	f.received = false
	stream, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	f.opened = true
	f.at.boots.begin(f.target.Console.Relay.Journal, stream.Offset)
	if atGap := f.link == broken && stream.Gap != 0; atGap {
		f.link = whole // the owner ends a connection at a gap; it is the same stream
	} else if err := f.reportConnected(stream); err != nil {
		return err
	}
	if err := f.at.missing(stream.Offset, stream.Gap); err != nil {
		return err
	}
	// Announce the running boot before its first byte arrives.
	if err := f.at.data(nil); err != nil {
		return err
	}
	buffer := make([]byte, 32<<10)
	for {
		n, failed := stream.Read(buffer)
		f.received = f.received || n > 0
		if n > 0 {
			if err := f.at.data(buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(failed, io.EOF) {
			return errEnded
		}
		if failed != nil {
			return fmt.Errorf("%w: %w", ErrLost, failed)
		}
	}
}

// reportConnected reports a new connection.
func (f *follower) reportConnected(stream *ctl.Stream) error {
	if err := f.reportLost(); err != nil {
		return err
	}
	f.link = whole
	f.at.offset, f.at.live = stream.Offset, stream.Live
	return f.at.handle(Event{Kind: Connected, Offset: stream.Offset, Live: stream.Live, Target: f.target})
}

// reportLost reports that the connection has broken, unless it has been reported.
func (f *follower) reportLost() error {
	if f.link != broken {
		return nil
	}
	f.link = lost
	return f.at.handle(Event{Kind: Lost, Offset: f.at.offset, Target: f.target})
}

// reportEnd reports that the stream has ended, and the exit cause.
func (f *follower) reportEnd(ctx context.Context) error {
	var boot journal.Boot
	if f.request.Boot == 0 {
		boot = endOfBoot(ctx, f.target.Console.Relay.Journal)
	}
	return f.at.handle(Event{Kind: Ended, Offset: f.at.offset, Boot: boot, Target: f.target})
}

// awaitStart waits for the next start of what has ended. See nextStart for same.
func (f *follower) awaitStart(ctx context.Context, same bool) error {
	next, err := nextStart(ctx, f.target, same)
	if err != nil {
		return err
	}
	f.continueWith(next)
	return nil
}

// gapLimit is how long the owner may take to answer after it has ended a connection, as at a gap, before
// the connection counts as lost.
const gapLimit = 500 * time.Millisecond

// reconnect finds the target again, which may have a new owner. If there is none and the
// request is to stay, it returns errEnded.
func (f *follower) reconnect(ctx context.Context) error {
	if f.received && f.link == whole {
		f.link = broken
	}
	limited, cancel := context.WithTimeout(ctx, f.request.ReturnLimit)
	defer cancel()
	for limit := gapLimit; ; limit = f.request.ReturnLimit {
		wait(limited, retryEvery)
		look, done := context.WithTimeout(limited, limit)
		t, err := Find(look, f.target.place())
		done()
		if err != nil || t.owner != f.target.owner {
			if err := f.reportLost(); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
			f.continueWith(t)
			return nil
		case ctx.Err() != nil:
			return err
		case f.request.Stay && errors.Is(err, ctl.ErrNotRunning):
			return errEnded
		case f.request.Stay && limited.Err() != nil:
			return errSlow
		case limited.Err() != nil:
			return fmt.Errorf("%w: the owner of %v has ended and was not replaced", ErrLost, f.target)
		}
	}
}

// continueWith makes the next connection begin where the last one ended.
func (f *follower) continueWith(next Target) {
	f.from = strconv.FormatInt(f.at.offset, 10)
	if f.at.offset > next.Console.Relay.End { // it has another journal
		f.from, f.at.boots = "start", &boots{}
	}
	f.target = next
}
