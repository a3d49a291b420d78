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
	// pieceSize is how much is read and sent at once, in bytes: as much as the relay does
	// not interleave with the input of another client.
	pieceSize = 4096
	// typedAhead is how many such pieces are queued for a guest that does not read.
	typedAhead = 64
	// streamEndLimit is how long a failed input waits for the end or the loss of the stream: that is
	// reported once the owner has been looked for, which takes seconds on a busy host.
	streamEndLimit = 10 * time.Second
)

// keyboard is the input of the user, from a terminal or a pipe, on its way to the guest.
type keyboard struct {
	in       *os.File
	fd       int  // of in, read once: the caller may close in while a stuck session goes on
	terminal bool // in and the output are terminals
	readOnly bool
	force    bool // the seat is taken from another client
	escape   Key
	typed    chan []byte // not yet sent; closed at the end of the input
	notices  notices
	holder   string // the holder of the writer's seat that was announced last
	watches  bool   // another client had the seat when the user typed last
}

// read reads the input until the user leaves (errLeft), ctx is done, or the input ends, for
// which it returns nil if the input is a pipe.
func (k *keyboard) read(ctx context.Context) error {
	defer close(k.typed)
	if k.readOnly && !k.terminal {
		return nil
	}
	take := k.queue
	if k.terminal {
		take = k.queueKeys
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

// queue queues input from a pipe. It blocks while the queue is full.
func (k *keyboard) queue(ctx context.Context, data []byte) error {
	select {
	case k.typed <- bytes.Clone(data):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// queueKeys queues input from a terminal. At the escape key it returns errLeft. It never
// blocks, so that the escape key works if the guest does not read: if the queue is full it
// drops the input and rings the bell, as a terminal does.
func (k *keyboard) queueKeys(_ context.Context, data []byte) error {
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

// dropTyped drops queued input: it was for a guest that has ended.
func (k *keyboard) dropTyped() {
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

// send types the input into a console until ctx is done or the input ends. Input from a pipe
// takes the writer's seat or fails. A terminal takes the seat at once if it is free,
// otherwise with the next key that is pressed while it is free. A terminal that did not have
// the seat also waits for a key after the next start of a VM, as the holder may reconnect
// later.
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
		taken := (*ctl.SeatTakenError)(nil)
		switch {
		case ctx.Err() != nil || err == nil:
			return nil //nolint:nilerr // the end of the stream is the reason
		case !errors.As(err, &taken):
			return inputFailed(ctx, err)
		case !k.terminal:
			return fmt.Errorf("input: %w (take it with --force)", err)
		}
		k.announceHolder(taken.HolderName())
		request.Seat = ctl.SeatTake
		first, more = k.nextPiece(ctx)
	}
	return nil
}

// refuse drops the input, as device has none, until ctx is done or the input ends. It says so once,
// and then rings the bell on a terminal.
func (k *keyboard) refuse(ctx context.Context, device string) error {
	for said := false; ; said = true {
		_, more := k.nextPiece(ctx)
		switch {
		case !more:
			return nil
		case !said:
			k.notices.say("%s has no input: what you type is dropped", device)
		case k.terminal:
			k.notices.bell()
		}
	}
}

// inputFailed returns the error of an input that has failed. It returns nil if the stream
// ends soon, as the end of the stream is the reason then.
func inputFailed(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(streamEndLimit):
		return fmt.Errorf("input: %w", err)
	}
}

// nextPiece waits for the next input. more is false at its end, or once ctx is done.
func (k *keyboard) nextPiece(ctx context.Context) (piece []byte, more bool) {
	select {
	case piece, more = <-k.typed:
		return piece, more
	case <-ctx.Done():
		return nil, false
	}
}

// announceHolder prints which client has the writer's seat. If that was printed already, it
// rings the bell: a key has no effect.
func (k *keyboard) announceHolder(holder string) {
	k.watches = true
	if holder == k.holder {
		k.notices.bell()
		return
	}
	k.holder = holder
	k.notices.say("read-only: %s types. Attach with --force to take over", holder)
}

// input types first, and then the queued input, over one connection.
func (k *keyboard) input(ctx context.Context, client ctl.Client, request ctl.StreamRequest, first []byte) error {
	// The reader ends with the connection, so that it takes no later input.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return client.Input(ctx, request, &typedReader{ctx: ctx, typed: k.typed, rest: first})
}

// sendSize sends the size of the terminal to the owner, now and when it changes, until ctx
// is done. It returns nil even if the owner does not support sizes.
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

// typedReader reads the queued input for one connection.
type typedReader struct {
	ctx   context.Context // of the connection
	typed <-chan []byte
	rest  []byte // the unread part of a piece
}

// Read returns input of one piece at most.
func (r *typedReader) Read(data []byte) (int, error) {
	for len(r.rest) == 0 {
		// The rest is for the next connection.
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

// pump reads the input and calls take with each piece, until take returns an error or ctx is
// done. At the end of the input it returns io.EOF. It polls before each read, as a read of
// a terminal or a pipe cannot be interrupted.
func (k *keyboard) pump(ctx context.Context, take func(context.Context, []byte) error) error {
	woken, wake, err := os.Pipe()
	if err != nil {
		return err
	}
	defer woken.Close()
	defer wake.Close()
	defer context.AfterFunc(ctx, func() { wake.Close() })()
	piece := make([]byte, pieceSize)
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

// discardAnswers drops the answers of the terminal to questions of the guest, of which the
// last was at the time asked. The user's shell would take them for input.
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
		if n, err := k.in.Read(make([]byte, pieceSize)); n == 0 || err != nil {
			return
		}
	}
}

const (
	// answerLimit is how long after a question an answer may come.
	answerLimit = time.Second
	// answerPause is longer than a terminal takes to answer.
	answerPause = 100 * time.Millisecond
)
