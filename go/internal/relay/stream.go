package relay

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"microvm-console/internal/ctl"
	"microvm-console/internal/journal"
)

// Stream is a client that asked for its range; see ctl.StreamRequest. ctl.ErrNotKept
// tells that there is none, ctl.ErrCrowded that there are too many clients. Its Read waits for more while the boot goes on. With
// request.Gaps it is a
// *journal.GapError where the client has fallen behind what is kept, and a
// *journal.LossError where bytes could not be kept. The caller closes it.
func (r *Relay) Stream(ctx context.Context, request ctl.StreamRequest) (*ctl.Stream, error) {
	start, end, err := r.config.Journal.BootRange(request.Boot)
	if err != nil && request.Boot == 0 { // nothing was ever printed: it may come
		start = bootStart(r.config.Journal)
		end, err = start, nil
	}
	if err != nil {
		return nil, ctl.NotKept(err)
	}
	oldest, _ := r.config.Journal.Range()
	offset, err := position(request.From, start, oldest, end)
	if err != nil {
		return nil, ctl.NotKept(err)
	}
	gap := max(0, oldest-offset)
	s := &stream{end: end, gaps: request.Gaps, reader: r.config.Journal.NewReader(offset + gap)}
	if request.Boot == 0 {
		s.end = -1
	}
	// A client that is told of a gap by the end of its stream asks again from there.
	if losses := s.reader.Losses(); losses > 0 || gap == 0 {
		gap += losses
	}
	offset = s.reader.Offset()
	if s.client, err = r.join(request.Client, "stream", request.Terminal, offset); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.leave = sync.OnceFunc(func() { r.leave(s.client) })
	// Who has to go is not waited for, whatever keeps it from closing.
	s.unhook = context.AfterFunc(r.serving, func() {
		s.cancel()
		s.leave()
	})
	return &ctl.Stream{ReadCloser: s, Offset: offset, Live: end, Gap: gap}, nil
}

// position is the offset that from means in a boot, from start to end, of a stream
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
		return 0, fmt.Errorf("from: %q is no place in the stream (start, now, -BYTES or an offset)", from)
	case strings.HasPrefix(from, "-"):
		return max(start, end+number), nil
	case number > end:
		return 0, fmt.Errorf("from: %d lies behind the end (choose an offset from %d to %d, start, now or -BYTES)", number, oldest, end)
	}
	return number, nil
}

// stream is the reading end of a Stream.
type stream struct {
	client *client
	reader *journal.Reader
	end    int64 // where an earlier boot ends; -1: this one goes on
	gaps   bool  // Read tells of them
	ctx    context.Context
	cancel context.CancelFunc
	leave  func()
	unhook func() bool
}

func (s *stream) Read(data []byte) (int, error) {
	if s.end >= 0 {
		left := s.end - s.reader.Offset()
		if left <= 0 {
			return 0, io.EOF
		}
		data = data[:min(int64(len(data)), left)]
	}
	n, err := s.reader.Read(s.ctx, data)
	for !s.gaps && journal.Missing(err) {
		n, err = s.reader.Read(s.ctx, data)
	}
	s.client.offset.Store(s.reader.Offset())
	if err == journal.ErrClosed { //nolint:errorlint // it is returned as it is
		err = io.EOF
	}
	return n, err
}

// Close makes the client leave.
func (s *stream) Close() error {
	s.cancel()
	s.unhook()
	s.leave()
	return s.reader.Close()
}
