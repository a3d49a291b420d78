package relay

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"

	"microvm-console/internal/ctl"
)

// Input returns what types into the console for a client. Each Write is whole
// up to inputWhole bytes, and waits while the guest does not read.
//
// Of all clients, one may have the writer's seat: then only it types, and only
// its terminal's answers reach the guest. Without a seat, a client types while
// nobody has it. The caller closes the typist.
//
// A Write that waits returns when the typist is closed, or request.AwaitGone reports that
// the client has gone.
func (r *Relay) Input(request ctl.StreamRequest) (*ctl.Typist, error) {
	lost := make(chan error, 1)
	open, shut := context.WithCancel(context.Background())
	gone := orClosed(open, request.AwaitGone)
	if request.Seat == "" {
		return &ctl.Typist{Writer: guest{r, gone}, Lost: lost, Close: shut}, nil
	}
	w := &writer{relay: r, name: request.Client, lost: lost, gone: gone}
	if err := r.seat(w, request.Seat == ctl.SeatForce); err != nil {
		shut()
		return nil, err
	}
	return &ctl.Typist{Writer: w, Lost: lost, Close: func() {
		shut()
		r.unseat(w)
	}}, nil
}

// orClosed is left, which the end of open ends too, as if the client had gone. nil: only
// that does.
func orClosed(open context.Context, left awaitGone) awaitGone {
	if left == nil {
		return ended(open)
	}
	return func(ctx context.Context) error {
		both, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(open, cancel)()
		err := left(both)
		if open.Err() != nil {
			return nil
		}
		return err
	}
}

// moved tells that the seat has moved.
func (r *Relay) moved() {
	if r.config.Seated != nil {
		r.config.Seated()
	}
}

// seat gives the writer's seat to w, if it is free, or by force.
func (r *Relay) seat(w *writer, force bool) error {
	defer r.moved()
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.writer; old != nil {
		// A client that comes again is no other: its old connection is broken.
		if !force && (w.name == "" || w.name != old.name) {
			return fmt.Errorf("%s %w", old.name, ctl.ErrSeatTaken)
		}
		old.lost <- fmt.Errorf("%s %w", w.name, ctl.ErrSeatTaken)
	}
	r.writer = w
	return nil
}

// unseat frees the seat, if w has it.
func (r *Relay) unseat(w *writer) {
	defer r.moved()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writer == w {
		r.writer = nil
	}
}

// seated is who has the writer's seat; nil: nobody.
func (r *Relay) seated() *writer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writer
}

// writer is who has, or had, the writer's seat.
type writer struct {
	relay *Relay
	name  string
	lost  chan error // with room for the one time that it is lost
	gone  awaitGone
}

func (w *writer) Write(data []byte) (int, error) {
	switch now := w.relay.seated(); {
	case now == nil:
		return 0, os.ErrClosed
	case now != w:
		return 0, fmt.Errorf("%s %w", now.name, ctl.ErrSeatTaken)
	}
	return w.relay.enter(slices.Clone(data), len(data), w.gone)
}

// guest is a client without the seat, who types while that is free.
type guest struct {
	relay *Relay
	gone  awaitGone
}

func (g guest) Write(data []byte) (int, error) {
	if g.relay.seated() != nil {
		return len(data), nil // dropped: one writes
	}
	return g.relay.enter(answer.ReplaceAll(slices.Clone(data), nil), len(data), g.gone)
}

// enter queues typed for the guest, and returns n.
func (r *Relay) enter(typed []byte, n int, gone awaitGone) (int, error) {
	for chunk := range slices.Chunk(typed, inputWhole) {
		if err := r.input.write(chunk, gone); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// answer is what a terminal says by itself when a program asks it: cursor
// position and status (DSR), attributes (DA), size (CSI t), modes (DECRPM); see
// xterm's control sequences. Those of a client without the seat do not reach the
// guest: several terminals may have been asked, and the relay answers too.
var answer = regexp.MustCompile(`\x1b\[[?>]?[0-9;]*(?:[Rnct]|\$y)`)
