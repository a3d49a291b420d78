package attach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/journal"
)

const (
	// patience is how long a session that has been told to end waits for a
	// write that its output does not take.
	patience = time.Second
	// settle is how long a connection whose input has failed waits for the
	// stream to tell why.
	settle = time.Second
)

var (
	// errEnded is why a connection ends whose stream has ended regularly.
	errEnded = errors.New("the stream has ended")
	// errBroken is why a connection ends that can be made again.
	errBroken = errors.New("connection lost")
	// errStuck tells that the output has not taken what was written to it.
	errStuck = errors.New("output: takes nothing more")
)

// session is one attachment, over any number of connections.
type session struct {
	options Options
	in      *os.File
	fd      int // of in, asked for once: whoever gave it may close it behind a session that is stuck
	screen  *output
	notices notices
	typed   chan []byte // what was typed and not yet sent; closed at its end
	offset  int64       // of the next byte to be shown
	// comeBack is how long a machine is waited for that was there.
	comeBack time.Duration
	told     string // who has the writer's seat, as it was said
	opened   bool   // a connection was made
	shown    bool   // bytes came over the last one
}

// run runs the session until something ends it, and returns what: errEnded,
// errLeft, errTimeLimit, or what went wrong. take gets what comes from s.in.
//
// Everything it started has ended when it returns, unless it is errStuck: then
// one goroutine is left in a write that nothing can end.
func (s *session) run(ctx context.Context, first target, take func(context.Context, []byte) error) error {
	limited := ctx
	if s.options.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(ctx, s.options.Timeout, errTimeLimit)
		defer cancel()
	}
	group, running := errgroup.WithContext(limited)
	group.Go(func() error { return caught(func() error { return s.read(running, take) }) })
	group.Go(func() error { return caught(func() error { return s.follow(running, first) }) })
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()
	err := waitPatiently(running, done)
	if ctx.Err() != nil && !errors.Is(err, errStuck) {
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	return err
}

// waitPatiently waits for done, and after the end of ctx only a little more.
func waitPatiently(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return errStuck
	}
}

// follow shows the stream, over one connection after the other, until it ends.
func (s *session) follow(ctx context.Context, t target) error {
	request := ctl.StreamRequest{
		Console:  t.console.Name,
		From:     s.options.From,
		Boot:     s.options.Boot,
		Client:   fmt.Sprintf("%s[%d]", s.options.Program, os.Getpid()),
		Terminal: s.screen.questions,
		Gaps:     true,
	}
	for tries := 1; ; tries++ {
		err := s.connection(ctx, t, request)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.Is(err, errBroken) || s.options.Boot < 0 || tries == maxTries:
			return err
		case s.shown:
			s.notices.say("connection to %s lost", t.name)
			s.shown, tries = false, 0
		}
		if t, err = s.again(ctx, t); err != nil {
			return err
		}
		request.Console, request.From = t.console.Name, strconv.FormatInt(s.offset, 10)
		if s.offset > t.console.Relay.End { // its journal is not the one it was
			request.From = "start"
		}
	}
}

// connection shows the stream and types, until the stream ends (errEnded) or
// breaks (errBroken).
func (s *session) connection(ctx context.Context, t target, request ctl.StreamRequest) error {
	stream, err := t.client.Stream(ctx, request)
	switch {
	case err != nil && s.opened:
		return fmt.Errorf("%w: %w", errBroken, err)
	case errors.Is(err, ctl.ErrNotKept):
		return cmdline.Status(cmdline.StatusUsage, err)
	case err != nil:
		return err
	case s.opened:
		s.notices.say("connected again")
	}
	defer stream.Close()
	s.opened = true
	s.recall(t.console.Relay.Journal, stream)
	switch {
	case stream.Gap > 0:
		s.notices.say("%d bytes are missing here", stream.Gap)
	case stream.Gap < 0:
		s.notices.say("bytes may be missing here: the status tells why")
	}
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, func() { stream.Close() })() // also where the input has failed
	group.Go(func() error { return caught(func() error { return s.show(stream) }) })
	if !s.options.readOnly() {
		group.Go(func() error { return caught(func() error { return s.send(ctx, t.client, request) }) })
		if s.screen.keys {
			group.Go(func() error { return caught(func() error { return s.tellSize(ctx, t.client, request) }) })
		}
	}
	return group.Wait()
}

// recall looks up when the bytes of the past came that a stream begins with, if
// that is to be shown. Where it cannot be known, they are shown without.
func (s *session) recall(dir string, stream *ctl.Stream) {
	if s.screen.stamps == nil {
		return
	}
	s.screen.stamps.past = nil
	if snapshot, err := journal.Look(dir); err == nil {
		s.screen.stamps.past = snapshot.Times(stream.Offset, stream.Live)
	}
}

// show shows a stream until it ends, which is errEnded.
func (s *session) show(stream *ctl.Stream) error {
	s.offset = stream.Offset
	chunk := make([]byte, 32<<10)
	for {
		n, err := stream.Read(chunk)
		past := min(max(0, int(stream.Live-s.offset)), n)
		if err := s.screen.write(chunk[:past], s.offset, false); err != nil {
			return err
		}
		if err := s.screen.write(chunk[past:n], s.offset+int64(past), true); err != nil {
			return err
		}
		s.offset += int64(n)
		s.shown = s.shown || n > 0
		if errors.Is(err, io.EOF) {
			return errEnded
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
	}
}

// panicked is a panic on its way to the goroutine that puts the terminal back.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// caught runs run; a panic in it becomes an error.
func caught(run func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicked{value, debug.Stack()}
		}
	}()
	return run()
}

// raise panics again where err is a panic that was caught.
func raise(err error) {
	var p *panicked
	if errors.As(err, &p) {
		panic(p.Error())
	}
}
