package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/state"
)

// followed is the stream of a console or a channel, which is read from its first byte on over all
// restarts.
type followed struct {
	name    string
	client  ctl.Client
	console string
	boots   bool // whether each boot begins with record 0
	fault   func(format string, values ...any)

	mu     sync.Mutex
	offset int64    // of the next byte
	start  int64    // of the boot of oracle
	gap    [2]int64 // the newest gap: its offset and its size
	oracle *oracle  // nil if nothing was read
	total  tally
}

// follow reads until ctx ends. It reconnects at the same offset when it is cut off.
func (s *followed) follow(ctx context.Context) {
	for ctx.Err() == nil {
		_ = s.readOnce(ctx) // an error means that the relay or the VM does not run
		_ = pause(ctx, 50*time.Millisecond)
	}
}

// readOnce reads one response to its end.
func (s *followed) readOnce(ctx context.Context) error {
	from := strconv.FormatInt(s.read(), 10)
	answer, err := s.client.Stream(ctx, ctl.StreamRequest{Console: s.console, From: from, Gaps: true, Client: "soak"})
	if err != nil {
		return err
	}
	defer answer.Close()
	// If the VM was restarted since the request, this is the start of the new boot, which is
	// after the end of the response.
	console, err := s.status(ctx)
	if err != nil {
		return err
	}
	s.attached(answer, console.Relay.Start)
	for data := make([]byte, readBytes); ; {
		n, err := answer.Read(data)
		s.take(data[:n], console.Relay.Start)
		if err != nil {
			return err
		}
	}
}

// attached records the offset of a response, and a gap there.
func (s *followed) attached(answer *ctl.Stream, start int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.oracle == nil {
		s.oracle, s.start = newOracle(), start
	}
	gap := answer.Gap
	if s.gap[0] == answer.Offset { // nothing was read since: the gap was counted already
		gap -= s.gap[1]
	}
	switch {
	case answer.Offset != s.offset:
		s.fault("%s: requested offset %d, but the oldest is %d", s.name, s.offset, answer.Offset)
		s.offset = answer.Offset
	case gap < 0:
		s.fault("%s: a gap of unknown size at %d", s.name, s.offset)
	case gap > 0:
		s.oracle.gap(gap)
		s.gap = [2]int64{answer.Offset, answer.Gap}
	}
}

// take checks data that was read. A boot begins at start.
func (s *followed) take(data []byte, start int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.boots && start > s.start {
		before := min(max(0, start-s.offset), int64(len(data)))
		s.oracle.take(data[:before])
		s.offset += before
		if data = data[before:]; len(data) == 0 {
			return
		}
		s.total.add(s.oracle)
		s.oracle, s.start = newOracle(), start
	}
	s.oracle.take(data)
	s.offset += int64(len(data))
}

// sum returns the sum over all boots.
func (s *followed) sum() tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.total
	if sum.bytes = s.offset; s.oracle != nil {
		sum.add(s.oracle)
	}
	return sum
}

// read returns the number of bytes that were read.
func (s *followed) read() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offset
}

// status returns the status of the console, or of the only console of a channel.
func (s *followed) status(ctx context.Context) (state.Console, error) {
	status, err := s.client.Status(ctx)
	if err != nil {
		return state.Console{}, err
	}
	for _, console := range status.Consoles {
		if (s.console == "" || console.Name == s.console) && console.Relay != nil {
			return console, nil
		}
	}
	return state.Console{}, fmt.Errorf("%s: no such console", s.name)
}

// settle waits until printed bytes of records are read or counted as lost.
func (s *followed) settle(ctx context.Context, printed int64) error {
	err := until(ctx, fmt.Sprintf("%s: %d bytes of records", s.name, printed), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.oracle != nil && s.oracle.place >= printed
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && (!s.boots && s.oracle.place != printed || s.oracle.next != printed/recordBytes) {
		s.fault("%s: %d bytes printed, but %d kept or counted as lost, the last record %d",
			s.name, printed, s.oracle.place, s.oracle.next-1)
	}
	return err
}
