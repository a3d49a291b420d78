package relay

import (
	"context"
	"os"
	"regexp"
	"slices"
	"sync"
)

// Seat is what a typist wants of the writer's seat. Of all clients, one may have it: then
// only that one types, and only its terminal's answers reach the guest.
type Seat int

const (
	// NoSeat types while the seat is free. What is typed while it is taken is dropped.
	NoSeat Seat = iota
	// TakeSeat takes the seat if it is free, or has the same client.
	TakeSeat
	// ForceSeat takes the seat from the client that has it.
	ForceSeat
)

// SeatTakenError is returned when another client has the writer's seat, or has just taken
// it.
type SeatTakenError struct {
	Holder string // the name of the client that has it
}

func (e *SeatTakenError) Error() string { return e.Holder + " has the writer's seat" }

// TypistInfo is what a typist says of itself.
type TypistInfo struct {
	Name string // the name that its client has chosen
	Seat Seat
}

// Typist types into the console for one client.
type Typist struct {
	relay  *Relay
	info   TypistInfo
	lost   chan error // with room for the one time that the seat is lost
	closed context.Context
	close  context.CancelFunc
}

// Typist returns what types into the console for a client. It returns a *SeatTakenError
// if another client has the seat that this one is to have. The caller calls Close.
func (r *Relay) Typist(info TypistInfo) (*Typist, error) {
	t := &Typist{relay: r, info: info, lost: make(chan error, 1)}
	t.closed, t.close = context.WithCancel(context.Background())
	if info.Seat == NoSeat {
		return t, nil
	}
	if err := r.seat.take(t); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// Lost gets why the typist may not type any more: a *SeatTakenError.
func (t *Typist) Lost() <-chan error { return t.lost }

// Close gives up the seat. A Write that waits returns.
func (t *Typist) Close() {
	t.close()
	t.relay.seat.leave(t)
}

// Write types data, whole up to inputWhole bytes, and waits while the guest does not read.
// Without a seat, a terminal's answers are left out. It returns a *SeatTakenError if the
// seat was lost, and os.ErrClosed if the typist is closed, or the machine has ended.
func (t *Typist) Write(data []byte) (int, error) {
	holder := t.relay.seat.current()
	typed := slices.Clone(data)
	switch {
	case holder == t:
	case t.info.Seat == NoSeat && holder != nil:
		return len(data), nil // one client writes
	case t.info.Seat == NoSeat:
		typed = answer.ReplaceAll(typed, nil)
	case holder == nil:
		return 0, os.ErrClosed
	default:
		return 0, &SeatTakenError{holder.info.Name}
	}
	for chunk := range slices.Chunk(typed, inputWhole) {
		if err := t.relay.in.write(chunk, t.closed.Done()); err != nil {
			return 0, err
		}
	}
	return len(data), nil
}

// answer is what a terminal says by itself when a program asks it: cursor
// position and status (DSR), attributes (DA), size (CSI t), modes (DECRPM); see
// xterm's control sequences. Those of a client without the seat do not reach the
// guest: several terminals may have been asked, and the relay answers too.
var answer = regexp.MustCompile(`\x1b\[[?>]?[0-9;]*(?:[Rnct]|\$y)`)

// seat is the writer's seat.
type seat struct {
	moved func() // called when it was taken or left; nil: it is not

	mu     sync.Mutex
	holder *Typist // nil: it is free
}

// take gives the seat to t if it is free, or by force.
func (s *seat) take(t *Typist) error {
	defer s.report()
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.holder; old != nil {
		// A client that comes again is the same one: its old connection is broken.
		if t.info.Seat != ForceSeat && (t.info.Name == "" || t.info.Name != old.info.Name) {
			return &SeatTakenError{old.info.Name}
		}
		old.lost <- &SeatTakenError{t.info.Name}
	}
	s.holder = t
	return nil
}

// leave frees the seat, if t has it.
func (s *seat) leave(t *Typist) {
	s.mu.Lock()
	had := s.holder == t
	if had {
		s.holder = nil
	}
	s.mu.Unlock()
	if had {
		s.report()
	}
}

func (s *seat) report() {
	if s.moved != nil {
		s.moved()
	}
}

// current returns the typist that has the seat; nil if it is free.
func (s *seat) current() *Typist {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holder
}
