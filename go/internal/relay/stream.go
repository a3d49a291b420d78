package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"microvm-console/internal/journal"
)

// Part is a part of the stream that a client asks for.
type Part struct {
	// From is where to begin: "start" (of the boot), "now", "-N" (the last N bytes of
	// the boot) or an offset. "" is "start".
	From string
	// Boot is 0 for this boot, -1 for the one before, and so on. An earlier boot ends;
	// this one goes on while the machine runs.
	Boot int
}

// PartError is returned for a Part of which nothing is kept.
type PartError struct {
	Reason string // which Part is
}

func (e *PartError) Error() string { return e.Reason }

// Stream is a client that has asked for a Part, as an io.ReadCloser. Close may be called
// while Read waits, which then returns.
type Stream struct {
	// Offset is that of the first byte.
	Offset int64
	// Live is the offset at which the stream ended when it was asked for: what comes
	// before is history.
	Live int64
	// Gap is how many bytes are missing just before Offset: they were asked for and are
	// no longer kept, or they never were; -1 if the number is unknown.
	Gap int64

	client *Client
	end    int64 // where an earlier boot ends; -1: this one goes on
	gaps   bool
}

// streamKind is the kind of a Stream.
const streamKind = "stream"

// Open returns a client that reads a Part. With gaps, its Read returns a *journal.GapError
// if it has fallen behind what is kept and a *journal.LossError if bytes could not be kept;
// otherwise it goes on behind them. The error is a *PartError if nothing of the part is
// kept, and that of Join. The stream ends with ctx. The caller closes it.
func (r *Relay) Open(ctx context.Context, info ClientInfo, part Part, gaps bool) (*Stream, error) {
	start, end, err := r.journal.BootRange(part.Boot)
	if err != nil {
		return nil, &PartError{err.Error()}
	}
	oldest, _ := r.journal.Range()
	offset, err := position(part.From, start, oldest, end)
	if err != nil {
		return nil, err
	}
	s := &Stream{Live: end, Gap: max(0, oldest-offset), end: end, gaps: gaps}
	if part.Boot == 0 {
		s.end = -1
	}
	reader := r.journal.NewReader(offset + s.Gap)
	// A client that learns of a gap by the end of its stream asks again from there.
	if losses := reader.Losses(); losses > 0 || s.Gap == 0 {
		s.Gap += losses
	}
	s.Offset = reader.Offset()
	info.Kind = streamKind
	if s.client, err = r.join(ctx, info, reader); err != nil {
		return nil, err
	}
	return s, nil
}

// position returns the offset that from means in a boot, from start to end, of a stream
// whose bytes are kept from oldest on.
func position(from string, start, oldest, end int64) (int64, error) {
	switch from {
	case "", "start":
		return start, nil
	case "now":
		return end, nil
	}
	number, err := strconv.ParseInt(from, 10, 64)
	switch {
	case err != nil:
		return 0, &PartError{fmt.Sprintf("from: %q is no place in the stream (start, now, -BYTES or an offset)", from)}
	case strings.HasPrefix(from, "-"):
		return max(start, end+number), nil
	case number > end:
		return 0, &PartError{fmt.Sprintf("from: %d lies behind the end (choose an offset from %d to %d, start, now or -BYTES)", number, oldest, end)}
	}
	return number, nil
}

func (s *Stream) Read(data []byte) (int, error) {
	if s.end >= 0 {
		left := s.end - s.client.reader.Offset()
		if left <= 0 {
			return 0, io.EOF
		}
		data = data[:min(int64(len(data)), left)]
	}
	n, err := s.client.Read(s.client.ctx, data)
	for !s.gaps && journal.Missing(err) {
		n, err = s.client.Read(s.client.ctx, data)
	}
	if errors.Is(err, journal.ErrClosed) {
		err = io.EOF
	}
	return n, err
}

// Close makes the client leave.
func (s *Stream) Close() error {
	s.client.Close()
	return nil
}
