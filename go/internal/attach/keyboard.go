package attach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"microvm-console/internal/ctl"
)

const (
	// typedWhole is how much is read and sent at once: what the relay hands on
	// without another client's in between.
	typedWhole = 4096
	// typedAhead is how many such pieces wait for a guest that does not read.
	typedAhead = 64
	// streamEndLimit is how long an input that has failed waits for the stream to end,
	// too.
	streamEndLimit = time.Second
)

// keyboard is what the user types, at a terminal or into a pipe, on its way to the guest.
type keyboard struct {
	in       *os.File
	fd       int  // of in, asked for once: its owner may close it behind a session that is stuck
	terminal bool // in and the output are terminals
	readOnly bool
	force    bool // the seat is taken from another client
	escape   Key
	typed    chan []byte // not yet sent; closed at its end
	notices  notices
	holder   string // of the writer's seat, as it was announced
	watches  bool   // another client had the seat when the user typed last
}

// read reads until the user leaves (errLeft), ctx ends, or the input does, which is nil
// for a pipe.
func (k *keyboard) read(ctx context.Context) error {
	defer close(k.typed)
	if k.readOnly && !k.terminal {
		return nil
	}
	take := k.hand
	if k.terminal {
		take = k.press
	}
	err := k.pump(ctx, take)
	switch {
	case errors.Is(err, io.EOF) && k.terminal:
		return errors.New("terminal: hung up")
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// hand hands on what came from a pipe. The pipe waits while the guest does not read.
func (k *keyboard) hand(ctx context.Context, data []byte) error {
	select {
	case k.typed <- bytes.Clone(data):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// press hands on what was typed at a terminal, up to the escape key, which is errLeft. It
// never waits: the escape key works also if the guest does not read. What is too much then
// is answered with a bell, as a terminal does.
func (k *keyboard) press(_ context.Context, data []byte) error {
	data, _, left := bytes.Cut(data, []byte{byte(k.escape)})
	if len(data) > 0 && !k.readOnly {
		select {
		case k.typed <- bytes.Clone(data):
		default:
			k.notices.bell()
		}
	}
	if left {
		return errLeft
	}
	return nil
}

// forget drops what was typed and not sent: it was for a guest that has ended.
func (k *keyboard) forget() {
	for {
		select {
		case _, more := <-k.typed:
			if !more {
				return
			}
		default:
			return
		}
	}
}

// send types into a console until ctx ends or nothing more comes. A keyboard takes the
// writer's seat at once if that is free, and otherwise with a key that is pressed when it
// is: also at the next start of a VM, where its holder may come later. What comes from a
// pipe needs it.
func (k *keyboard) send(ctx context.Context, client ctl.Client, request ctl.StreamRequest) error {
	request.Seat = ctl.SeatTake
	if k.force {
		request.Seat = ctl.SeatForce
	}
	request.OnOthers = func(through string) { k.notices.say("another process has typed through %s", through) }
	var first []byte
	more := true
	if !k.terminal || k.watches {
		first, more = k.nextPiece(ctx)
	}
	for more {
		k.watches = false
		err := k.input(ctx, client, request, first)
		switch {
		case ctx.Err() != nil || err == nil:
			return nil //nolint:nilerr // the end of the stream says why
		case !errors.As(err, new(*ctl.SeatTakenError)):
			return inputFailed(ctx, err)
		case !k.terminal:
			return fmt.Errorf("input: %w (take it with --force)", err)
		}
		k.announceHolder(err.Error())
		request.Seat = ctl.SeatTake
		first, more = k.nextPiece(ctx)
	}
	return nil
}

// inputFailed returns the error of an input that has failed, or nil if the stream ends soon,
// which says why there is nothing more to type into.
func inputFailed(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(streamEndLimit):
		return fmt.Errorf("input: %w", err)
	}
}

// nextPiece waits for what is typed next; more is false if nothing comes.
func (k *keyboard) nextPiece(ctx context.Context) (piece []byte, more bool) {
	select {
	case piece, more = <-k.typed:
		return piece, more
	case <-ctx.Done():
		return nil, false
	}
}

// announceHolder says which client has the writer's seat. If the user knows that, the bell
// says that a key does nothing.
func (k *keyboard) announceHolder(holder string) {
	k.watches = true
	if holder == k.holder {
		k.notices.bell()
		return
	}
	k.holder = holder
	k.notices.say("%s: you watch, a key types when it is free (--force takes it)", holder)
}

// input types first, and then what comes, over one connection.
func (k *keyboard) input(ctx context.Context, client ctl.Client, request ctl.StreamRequest, first []byte) error {
	// The reader ends with the connection: it takes nothing that comes later.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return client.Input(ctx, request, &typedReader{ctx: ctx, typed: k.typed, rest: first})
}

// sendSize sends the size of the terminal to the owner, now and whenever it changes, until
// ctx ends. It is nil also if the owner knows nothing of sizes, or the guest has no agent.
func (k *keyboard) sendSize(ctx context.Context, client ctl.Client, request ctl.StreamRequest) error {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	defer signal.Stop(changed)
	for {
		if columns, rows, err := term.GetSize(k.fd); err == nil && columns > 0 && rows > 0 {
			_ = client.Size(ctx, ctl.SizeRequest{Console: request.Console, Client: request.Client, Rows: rows, Columns: columns})
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
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

// pump reads and calls take with each piece, until that returns an error or ctx ends; at
// the end of the input it returns io.EOF. A read of a terminal or a pipe cannot be
// interrupted, so it reads only what is there.
func (k *keyboard) pump(ctx context.Context, take func(context.Context, []byte) error) error {
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
			{Fd: int32(k.fd), Events: unix.POLLIN},
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
		n, err := k.in.Read(piece)
		if n > 0 {
			err = take(ctx, piece[:n])
		}
		if err != nil {
			return err
		}
	}
}

// discardAnswers reads and drops what a terminal may still answer to a question that the
// guest asked last at asked: a shell would take it for typed.
func (k *keyboard) discardAnswers(asked time.Time) {
	if time.Since(asked) > answerLimit {
		return
	}
	for range 10 {
		poll := []unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, int(answerPause/time.Millisecond))
		if n == 0 || err != nil {
			return
		}
		if n, err := k.in.Read(make([]byte, typedWhole)); n == 0 || err != nil {
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
