package attach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
)

const (
	// typedWhole is how much is read and sent at once: what the relay hands on
	// without another client's in between.
	typedWhole = 4096
	// typedAhead is how many such pieces wait for a guest that does not read.
	typedAhead = 64
)

// read hands what comes from s.in to take, until its end, which is nil.
func (s *session) read(ctx context.Context, take func(context.Context, []byte) error) error {
	defer close(s.typed)
	if s.options.readOnly() && !s.screen.keys {
		return nil
	}
	err := s.pump(ctx, func(data []byte) error { return take(ctx, data) })
	switch {
	case errors.Is(err, io.EOF) && s.screen.keys:
		return errors.New("terminal: hung up")
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// hand hands on what came from a pipe. The pipe waits while the guest does not
// read.
func (s *session) hand(ctx context.Context, data []byte) error {
	select {
	case s.typed <- bytes.Clone(data):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// press hands on what was typed at a terminal, up to the escape key, which is
// errLeft. It never waits: the escape key works also where the guest does not
// read. What is too much then is answered with a bell, as a terminal does.
func (s *session) press(_ context.Context, data []byte) error {
	data, _, left := bytes.Cut(data, []byte{byte(s.options.Escape)})
	if len(data) > 0 && !s.options.readOnly() {
		select {
		case s.typed <- bytes.Clone(data):
		default:
			s.notices.bell()
		}
	}
	if left {
		return errLeft
	}
	return nil
}

// send types into the console until ctx ends or nothing more comes. A keyboard
// takes the writer's seat at once, where that is free, and else with a key that
// is pressed when it is; what comes from a pipe needs it.
func (s *session) send(ctx context.Context, client ctl.Client, request ctl.StreamRequest) error {
	request.Seat = ctl.SeatTake
	if s.options.Force {
		request.Seat = ctl.SeatForce
	}
	request.OnOthers = func(through string) { s.notices.say("another process has typed through %s", through) }
	var first []byte
	more := true
	if !s.screen.keys {
		first, more = s.nextPiece(ctx)
	}
	for more {
		err := s.input(ctx, client, request, first)
		switch {
		case ctx.Err() != nil || err == nil:
			return nil //nolint:nilerr // the stream tells why it has ended
		case !errors.As(err, new(*ctl.SeatTakenError)):
			return s.inputFailed(ctx, err)
		case !s.screen.keys:
			return fmt.Errorf("input: %w (take it with --force)", err)
		}
		s.watch(err)
		request.Seat = ctl.SeatTake
		first, more = s.nextPiece(ctx)
	}
	return nil
}

// inputFailed is the error of an input that has failed, unless the stream tells
// soon why there is no more to type into.
func (s *session) inputFailed(ctx context.Context, err error) error {
	if wait(ctx, settle); ctx.Err() != nil {
		return nil //nolint:nilerr // the stream has told
	}
	return fmt.Errorf("input: %w", err)
}

// nextPiece waits for what is typed next; more is false where nothing comes.
func (s *session) nextPiece(ctx context.Context) (piece []byte, more bool) {
	select {
	case piece, more = <-s.typed:
		return piece, more
	case <-ctx.Done():
		return nil, false
	}
}

// watch says who has the writer's seat, and to whom that is no news, that a key
// does nothing.
func (s *session) watch(err error) {
	if text := err.Error(); text != s.told {
		s.told = text
		s.notices.say("%s: you watch, a key types when it is free (--force takes it)", text)
		return
	}
	s.notices.bell()
}

// input types first, and then what comes, over one connection.
func (s *session) input(ctx context.Context, client ctl.Client, request ctl.StreamRequest, first []byte) error {
	// The reader ends with the connection: it takes nothing that comes later.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return client.Input(ctx, request, &typedReader{ctx: ctx, typed: s.typed, rest: first})
}

// typedReader is what was typed, for one connection.
type typedReader struct {
	ctx   context.Context // of the connection
	typed <-chan []byte
	rest  []byte // of a piece that was read in part
}

// Read reads what was typed at once.
func (r *typedReader) Read(data []byte) (int, error) {
	for len(r.rest) == 0 {
		// A connection that has ended takes nothing from the next one.
		if r.ctx.Err() != nil {
			return 0, context.Cause(r.ctx)
		}
		var ok bool
		select {
		case r.rest, ok = <-r.typed:
			if !ok {
				return 0, io.EOF
			}
		case <-r.ctx.Done():
		}
	}
	n := copy(data, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// pump reads s.in and hands each piece to take, until one of them errs or ctx
// ends; at the end of s.in it is io.EOF. A read of a terminal or a pipe cannot
// be called back, so it reads only what is there.
func (s *session) pump(ctx context.Context, take func([]byte) error) error {
	woken, wake, err := os.Pipe()
	if err != nil {
		return err
	}
	defer woken.Close()
	defer wake.Close()
	defer context.AfterFunc(ctx, func() { wake.Close() })()
	piece := make([]byte, typedWhole)
	for {
		poll := []unix.PollFd{
			{Fd: int32(s.fd), Events: unix.POLLIN},
			{Fd: int32(woken.Fd()), Events: unix.POLLIN},
		}
		if _, err := unix.Poll(poll, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("poll: %w", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if poll[0].Revents == 0 {
			continue
		}
		n, err := s.in.Read(piece)
		if n > 0 {
			err = take(piece[:n])
		}
		if err != nil {
			return err
		}
	}
}

// discardAnswers reads and drops what a terminal may still answer to a question
// of the guest, so that no shell gets it to read.
func (s *session) discardAnswers() {
	if time.Since(s.screen.asked) > answerLimit {
		return
	}
	for range 10 {
		poll := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, int(answerPause/time.Millisecond))
		if n == 0 || err != nil {
			return
		}
		if n, err := s.in.Read(make([]byte, typedWhole)); n == 0 || err != nil {
			return
		}
	}
}

const (
	// answerLimit is how long after a question an answer may still come.
	answerLimit = time.Second
	// answerPause is how long a terminal takes to answer, and a little more.
	answerPause = 100 * time.Millisecond
)
