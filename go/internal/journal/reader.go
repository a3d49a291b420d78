package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// GapError tells that bytes which a reader had not read are no longer kept.
// The reader goes on behind them.
type GapError struct {
	From, To int64 // the first byte that is missing, and the first that is not
}

func (e *GapError) Error() string {
	return fmt.Sprintf("%d bytes are no longer kept (offset %d to %d)", e.To-e.From, e.From, e.To)
}

// Reader reads the stream from an offset on, and then waits for more. It is
// for one goroutine; many readers may read at once.
type Reader struct {
	journal *Journal
	offset  int64
	file    *os.File // of the segment that holds offset
	segment segment  // as it was when it was looked at last
}

// NewReader returns a reader at offset. The caller calls Close.
func (j *Journal) NewReader(offset int64) *Reader {
	return &Reader{journal: j, offset: offset}
}

// Offset is that of the next byte.
func (r *Reader) Offset() int64 { return r.offset }

// Close closes the reader.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// Wait waits until there is something to read, or ctx ends. It is a *GapError
// where bytes have gone meanwhile, and ErrClosed where the journal was closed
// and all of it has been read.
func (r *Reader) Wait(ctx context.Context) error {
	for {
		s, more, err := r.locate()
		if s != nil || err != nil {
			return err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Read reads what comes next into data, and waits for it as Wait does.
func (r *Reader) Read(ctx context.Context, data []byte) (int, error) {
	file, at, there, err := r.Part(ctx)
	if err != nil {
		return 0, err
	}
	n, err := file.ReadAt(data[:min(int64(len(data)), there)], at)
	r.Skip(int64(n))
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// Part tells where what comes next lies: there bytes at a place in a file, which
// stays the reader's. It waits for them as Wait does. The caller says with Skip
// how many of them it took.
func (r *Reader) Part(ctx context.Context) (file *os.File, at, there int64, err error) {
	for r.file == nil || r.offset < r.segment.start || r.offset >= r.segment.end() {
		if err := r.Wait(ctx); err != nil {
			return nil, 0, 0, err
		}
		s, _, err := r.locate()
		if s == nil || err != nil {
			continue // it has gone since; Wait will tell
		}
		err = r.open(*s)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has gone since we looked
		}
		if err != nil {
			return nil, 0, 0, err
		}
	}
	return r.file, r.offset - r.segment.start, r.segment.end() - r.offset, nil
}

// Skip passes over n bytes.
func (r *Reader) Skip(n int64) { r.offset += n }

// locate finds the segment that holds the next byte; nil where that has not
// come yet, with a channel that is closed when it may have.
func (r *Reader) locate() (s *segment, more <-chan struct{}, err error) {
	j := r.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := len(j.segments) - 1; i >= 0; i-- {
		here := j.segments[i]
		switch {
		case here.start > r.offset:
			continue
		case r.offset < here.end():
			return &here, nil, nil
		case j.closed:
			return nil, nil, ErrClosed
		}
		if j.more == nil {
			j.more = make(chan struct{})
		}
		return nil, j.more, nil
	}
	oldest := j.segments[0].start
	gap := &GapError{From: r.offset, To: oldest}
	r.offset = oldest
	return nil, nil, gap
}

// open opens the segment's file, unless it is open.
func (r *Reader) open(s segment) error {
	if r.file != nil && r.segment.start == s.start && r.segment.boot == s.boot {
		r.segment = s
		return nil
	}
	file, err := os.Open(s.path(r.journal.dir))
	if err != nil {
		return err
	}
	if r.file != nil {
		r.file.Close()
	}
	r.file, r.segment = file, s
	return nil
}
