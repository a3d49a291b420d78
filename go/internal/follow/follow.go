// Package follow reads the stream of a console, or of a channel, from an offset on: what
// is kept of it, and then what comes.
//
// Run follows what is served just now, over connections that break, over a new owner, and
// if asked for over following starts of a VM. Kept reads what a journal's files hold; no
// process need serve them. Both yield the same events.
//
// Its promises: the bytes come in their order, once each, with their offsets. What is
// missing is an event at its place, and so is the begin of each boot.
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
	// returnLimit is how long an owner that was there may take to come back.
	returnLimit = 5 * time.Second
	// maxTries is how often in a row a connection may break that has brought nothing.
	maxTries = 20
)

// Kind is what an Event is about.
type Kind int

const (
	// Connected says that a connection was made; Target, Offset and Live are set. It is
	// the first event of Run, and the first one after each Lost and Ended.
	Connected Kind = iota
	// Boot says that a boot begins at Offset. The boot that is under way when the reading
	// begins is an event if it is read from its first byte on.
	Boot
	// Data has bytes, from Offset on. They are history up to the offset Live of the
	// connection, and no event has both.
	Data
	// Gap says that bytes are missing before Offset.
	Gap
	// Lost says that the connection has broken, and is made again.
	Lost
	// Ended says that the stream has ended regularly, or its owner was killed.
	Ended
)

// Event is a step in the reading of a stream.
type Event struct {
	Kind   Kind
	Offset int64 // of the next byte
	// Live is, for Connected, the offset at which the stream ended then.
	Live int64
	// Data are bytes of the stream, valid until the handler returns.
	Data []byte
	// History reports whether the bytes of Data had been printed before the connection
	// was made.
	History bool
	// Missing is how many bytes are missing; -1 if the number is unknown.
	Missing int64
	// Boot is the boot that begins, or has ended; the zero value if it is not known.
	Boot journal.Boot
	// Target is what was connected to.
	Target Target
}

// Request says what is read of a target, and how.
type Request struct {
	// From and Boot are those of ctl.StreamRequest.
	From string
	Boot int
	// Client is the name under which the owner lists this reader.
	Client string
	// Terminal reports whether a terminal reads, which answers what the guest asks it.
	Terminal bool
	// Stay has the reading go on with the next start of a VM, or of a relay, that has
	// ended.
	Stay bool
	// ReturnLimit is how long an owner that was killed may take to be replaced. 0 is a
	// few seconds.
	ReturnLimit time.Duration
}

// ErrLost is returned if a connection is lost and cannot be made again.
var ErrLost = errors.New("connection lost")

// errEnded is returned for a connection whose stream has ended regularly.
var errEnded = errors.New("the stream has ended")

// Run reads from t and calls handle with each event, until the stream ends, which is nil,
// ctx ends, which is its cause, or handle returns an error, which is returned.
func Run(ctx context.Context, t Target, r Request, handle func(Event) error) error {
	if r.ReturnLimit == 0 {
		r.ReturnLimit = returnLimit
	}
	f := &follower{request: r, target: t, from: r.From, at: &cursor{boots: &boots{}, handle: handle}}
	for tries := 1; ; tries++ {
		err := f.connection(ctx)
		if f.brought {
			tries = 0
		}
		if errors.Is(err, ErrLost) && r.Boot == 0 && tries < maxTries && ctx.Err() == nil {
			err = f.reconnect(ctx)
		}
		if errors.Is(err, errEnded) && ctx.Err() == nil {
			if err := f.reportEnd(ctx); err != nil || !r.Stay {
				return err
			}
			err = f.awaitStart(ctx)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// follower is one Run.
type follower struct {
	request Request
	target  Target
	from    string // where the next connection begins
	at      *cursor
	opened  bool // a connection was made
	brought bool // the last one has brought bytes
	lost    bool // that was an event
}

// connection reads over one connection, until the stream ends (errEnded) or breaks
// (ErrLost).
func (f *follower) connection(ctx context.Context) error {
	f.brought = false
	stream, err := f.target.Client.Stream(ctx, ctl.StreamRequest{
		Console: f.target.Console.Name, From: f.from, Boot: f.request.Boot,
		Client: f.request.Client, Terminal: f.request.Terminal, Gaps: true,
	})
	if err != nil && f.opened {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	if err != nil {
		return err
	}
	defer stream.Close()
	f.opened, f.lost = true, false
	f.at.boots.begin(f.target.Console.Relay.Journal, stream.Offset)
	f.at.offset, f.at.live = stream.Offset, stream.Live
	err = f.at.handle(Event{Kind: Connected, Offset: stream.Offset, Live: stream.Live, Target: f.target})
	if err != nil {
		return err
	}
	if err := f.at.missing(stream.Offset, stream.Gap); err != nil {
		return err
	}
	// The boot that is under way is announced before its first byte comes.
	if err := f.at.data(nil); err != nil {
		return err
	}
	buffer := make([]byte, 32<<10)
	for {
		n, failed := stream.Read(buffer)
		f.brought = f.brought || n > 0
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

// reportEnd reports that the stream has ended, and how.
func (f *follower) reportEnd(ctx context.Context) error {
	var boot journal.Boot
	if f.request.Boot == 0 {
		boot = endOfBoot(ctx, f.target.Console.Relay.Journal)
	}
	return f.at.handle(Event{Kind: Ended, Offset: f.at.offset, Boot: boot, Target: f.target})
}

// awaitStart waits for the next start of what has ended.
func (f *follower) awaitStart(ctx context.Context) error {
	next, err := nextStart(ctx, f.target)
	if err != nil {
		return err
	}
	f.goOn(next)
	return nil
}

// reconnect finds the target again, which may have a new owner by then. If the reader stays
// and there is none, it returns errEnded.
func (f *follower) reconnect(ctx context.Context) error {
	if !f.lost && f.brought {
		f.lost = true
		if err := f.at.handle(Event{Kind: Lost, Offset: f.at.offset, Target: f.target}); err != nil {
			return err
		}
	}
	limited, cancel := context.WithTimeout(ctx, f.request.ReturnLimit)
	defer cancel()
	for {
		wait(limited, retryEvery)
		t, err := Find(limited, f.target.place())
		switch {
		case err == nil:
			f.goOn(t)
			return nil
		case ctx.Err() != nil:
			return err
		case f.request.Stay && (limited.Err() != nil || errors.Is(err, ctl.ErrNotRunning)):
			return errEnded
		case limited.Err() != nil:
			return fmt.Errorf("%w: %v does not come back (its owner was ended)", ErrLost, f.target)
		}
	}
}

// goOn has the next connection begin where the last one ended.
func (f *follower) goOn(next Target) {
	f.from = strconv.FormatInt(f.at.offset, 10)
	if f.at.offset > next.Console.Relay.End { // its journal is another one
		f.from, f.at.boots = "start", &boots{}
	}
	f.target = next
}
