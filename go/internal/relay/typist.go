package relay

import (
	"context"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Seat is how a typist uses the writer's seat. At most one client has the seat; then only
// its typing and its terminal's answers reach the guest.
type Seat int

const (
	// NoSeat types while the seat is free, or its holder has not typed for 10 seconds. At
	// other times what is typed is dropped.
	NoSeat Seat = iota
	// TakeSeat takes the seat if it is free or the same client has it.
	TakeSeat
	// ForceSeat takes the seat from the client that has it.
	ForceSeat
)

// SeatTakenError is returned if another client has the writer's seat or has just taken
// it.
type SeatTakenError struct {
	Holder string // the name of the client that has it
}

func (e *SeatTakenError) Error() string { return e.Holder + " has the writer's seat" }

// TypistInfo describes a typist.
type TypistInfo struct {
	Name string // the name chosen by the client
	Seat Seat
	// Through is the endpoint by which the client types, such as the path of a FIFO. The
	// holder of the seat receives it from Others.
	Through string
}

// Typist types into the console on behalf of one client.
type Typist struct {
	relay  *Relay
	info   TypistInfo
	lost   chan error  // buffered: the seat is lost at most once
	others chan string // buffered: one value
	closed context.Context
	close  context.CancelFunc
}

// Typist returns a new typist. It returns a *SeatTakenError if another client has the
// seat that info.Seat asks for. The caller must call Close.
func (r *Relay) Typist(info TypistInfo) (*Typist, error) {
	t := &Typist{relay: r, info: info, lost: make(chan error, 1), others: make(chan string, 1)}
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

// Lost returns a channel that receives a *SeatTakenError when the typist loses the seat.
func (t *Typist) Lost() <-chan error { return t.lost }

// Others returns a channel that receives the TypistInfo.Through of a client that types
// while this typist has the seat but has not typed for 10 seconds. It receives one value
// until this typist types again.
func (t *Typist) Others() <-chan string { return t.others }

// Close gives up the seat. A blocked Write returns.
func (t *Typist) Close() {
	t.close()
	t.relay.seat.leave(t)
}

// Write types data, and blocks while the guest does not read. Each inputWhole bytes reach
// the guest without other bytes in between. Without a seat, answers of a terminal are
// removed. Write returns a *SeatTakenError if the seat was lost, and os.ErrClosed if the
// typist is closed or the VM has ended.
func (t *Typist) Write(data []byte) (int, error) {
	typed := slices.Clone(data)
	keys := answer.ReplaceAll(data, nil)
	if t.info.Seat == NoSeat {
		typed = keys
	}
	admitted, err := t.relay.seat.admit(t, len(keys) > 0)
	if err != nil {
		return 0, err
	}
	if !admitted {
		return len(data), nil
	}
	for chunk := range slices.Chunk(typed, inputWhole) {
		if err := t.relay.in.write(chunk, t.closed.Done()); err != nil {
			return 0, err
		}
	}
	return len(data), nil
}

// answer matches what a terminal sends by itself when a program queries it: cursor
// position and status (DSR), attributes (DA), size (CSI t), modes (DECRPM); see xterm's
// control sequences. The answers of a client without the seat do not reach the guest,
// because several terminals may receive the query, and the relay answers it too.
var answer = regexp.MustCompile(`\x1b\[[?>]?[0-9;]*(?:[Rnct]|\$y)`)

// seatIdle is how long the holder of the seat must not have typed before input from
// clients without a seat reaches the guest.
const seatIdle = 10 * time.Second

// seat is the writer's seat.
type seat struct {
	moved func() // called when the seat is taken or given up; may be nil

	mu     sync.Mutex
	holder *Typist   // nil if the seat is free
	used   time.Time // when the holder took the seat or last typed
	shared bool      // another client has typed since
}

// take gives the seat to t if it is free or t takes it by force.
func (s *seat) take(t *Typist) error {
	defer s.report()
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.holder; old != nil {
		// A client of the same name has reconnected; its old connection is broken.
		if t.info.Seat != ForceSeat && (t.info.Name == "" || t.info.Name != old.info.Name) {
			return &SeatTakenError{old.info.Name}
		}
		old.lost <- &SeatTakenError{t.info.Name}
	}
	s.holder, s.used, s.shared = t, time.Now(), false
	return nil
}

// admit reports whether t may type now. keys is set if t types more than the answers of a
// terminal.
func (s *seat) admit(t *Typist, keys bool) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.holder == t:
		if keys {
			s.used, s.shared = time.Now(), false
		}
		return true, nil
	case t.info.Seat != NoSeat && s.holder == nil:
		return false, os.ErrClosed
	case t.info.Seat != NoSeat:
		return false, &SeatTakenError{s.holder.info.Name}
	case s.holder == nil:
		return true, nil
	case time.Since(s.used) < seatIdle:
		return false, nil
	}
	if keys && !s.shared {
		s.shared = true
		select {
		case s.holder.others <- t.info.Through:
		default:
		}
	}
	return true, nil
}

// leave frees the seat if t has it.
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

// current returns the typist that has the seat, or nil.
func (s *seat) current() *Typist {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holder
}
