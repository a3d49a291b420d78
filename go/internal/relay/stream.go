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

// Part selects a part of the stream.
type Part struct {
	// From is where to begin: "start" (of the boot), "now", "-N" (the last N bytes of the
	// boot) or an offset. "" means "start".
	From string
	// Boot is 0 for the current boot, -1 for the one before, and so on. The stream of an
	// earlier boot ends; that of the current boot continues while the VM runs.
	Boot int
}

// PartError is returned for a Part that is invalid or no longer stored.
type PartError struct {
	Reason string // the whole message
}

func (e *PartError) Error() string { return e.Reason }

// Stream reads a Part as an io.ReadCloser. Close may be called during Read, which then
// returns.
type Stream struct {
	// Offset is the offset of the first byte.
	Offset int64
	// Live is the offset at which the stream ended when it was opened. Bytes before it
	// are history.
	Live int64
	// Gap is the number of bytes missing just before Offset, because they are no longer
	// stored or never were; -1 if the number is unknown.
	Gap int64

	client *Client
	end    int64 // offset at which an earlier boot ends; -1 for the current boot
	gaps   bool
}

// streamKind is the ClientInfo.Kind of a Stream.
const streamKind = "stream"

// Open returns a stream that reads a Part. If gaps is set, Read returns a
// *journal.GapError or a *journal.LossError where bytes are missing, as Client.Read does;
// otherwise it skips them silently. Open returns a *PartError if the part is invalid or
// no longer stored, and the errors of Join. The stream ends when ctx is done. The caller
// must close it.
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
	// A client whose stream ended at a gap asks again from there, so a gap at the offset
	// itself counts too.
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

// position returns the offset that from selects in a boot that lies between start and
// end. The stream is stored from oldest on.
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
		return 0, &PartError{fmt.Sprintf("from: invalid position %q (use start, now, -BYTES or an offset)", from)}
	case strings.HasPrefix(from, "-"):
		return max(start, end+number), nil
	case number > end:
		return 0, &PartError{fmt.Sprintf("from: offset %d is after the end (use an offset from %d to %d, start, now or -BYTES)", number, oldest, end)}
	}
	return number, nil
}

// Read reads the next bytes. It blocks until there are some, and returns io.EOF at the end
// of an earlier boot or once the VM has ended.
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

// Close disconnects the client.
func (s *Stream) Close() error {
	s.client.Close()
	return nil
}
