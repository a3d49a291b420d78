package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// GapError is returned to a reader at a place where bytes are no longer kept. The next
// read continues after them.
type GapError struct {
	From, To int64 // the first missing byte, and the first byte after the gap
}

func (e *GapError) Error() string {
	return fmt.Sprintf("%d bytes are no longer kept (offset %d to %d)", e.To-e.From, e.From, e.To)
}

// Missing reports whether err is a *GapError or a *LossError: bytes are missing at the
// reader's place, and the next read continues after them.
func Missing(err error) bool {
	var gap *GapError
	var loss *LossError
	return errors.As(err, &gap) || errors.As(err, &loss)
}

// Gone describes what is missing if Missing(err): by how many bytes the offset of the stream has
// advanced, how many bytes were printed there, -1 if that is unknown, and why.
func Gone(err error) (skipped, printed int64, cause string) {
	var gap *GapError
	var loss *LossError
	switch {
	case errors.As(err, &gap):
		return gap.To - gap.From, gap.To - gap.From, "no longer kept"
	case errors.As(err, &loss) && loss.Gap.Bytes > 0:
		return 0, loss.Gap.Bytes, loss.Gap.Cause
	case errors.As(err, &loss):
		return 0, -1, loss.Gap.Cause
	}
	return 0, 0, ""
}

// Reader reads the stream from an offset, and blocks at the end until there is more. Each
// Reader is for one goroutine, except for Offset.
//
// Bytes that a reader still has to read are kept, up to four times Retention.Bytes in
// all, unless the reader has read nothing for 30 s although it could, or the disk is
// full.
type Reader struct {
	journal *Journal
	offset  atomic.Int64
	file    *os.File // of segment
	segment segment  // the segment that holds offset
	end     int64    // offset up to which bytes are known to exist
	passed  int      // number of losses at offset already returned

	// Guarded by the journal's lock; see readers.
	sampled int64     // the offset at the last sample
	active  time.Time // when the reader last made progress or had nothing to read
}

// NewReader returns a reader at offset. The caller must call Close.
func (j *Journal) NewReader(offset int64) *Reader {
	r := &Reader{journal: j, sampled: offset, active: time.Now()}
	r.offset.Store(offset)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.store.readers[r] = struct{}{}
	return r
}

// Offset returns the offset of the next byte.
func (r *Reader) Offset() int64 { return r.offset.Load() }

// Close closes the reader. Bytes that were kept only for it may be dropped.
func (r *Reader) Close() error {
	j := r.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.store.readers, r)
	if !j.closed { // after Close, another process may write the journal
		j.store.retain(time.Now())
	}
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// Losses returns the number of bytes missing exactly at the reader's offset, whether they
// could not be kept or another program removed them. It returns -1 if the number is
// unknown. The reader continues after them.
func (r *Reader) Losses() int64 {
	bytes, unknown := int64(0), false
	for {
		_, _, err := r.locate()
		var gap *GapError
		var loss *LossError
		switch {
		case errors.As(err, &gap):
			bytes += gap.To - gap.From
		case errors.As(err, &loss):
			bytes, unknown = bytes+loss.Gap.Bytes, true
		case bytes == 0 && unknown:
			return -1
		default:
			return bytes
		}
	}
}

// Wait blocks until there is something to read or ctx is done. It returns a *GapError if
// bytes are no longer kept, a *LossError if bytes were never kept, and ErrClosed at the
// end of a closed journal.
func (r *Reader) Wait(ctx context.Context) error {
	_, err := r.wait(ctx)
	return err
}

// wait is Wait, and also returns what can be read.
func (r *Reader) wait(ctx context.Context) (part, error) {
	for {
		p, more, err := r.locate()
		if more == nil || err != nil {
			return p, err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return part{}, context.Cause(ctx)
		}
	}
}

// Read reads the next bytes. It blocks and returns errors like Wait.
func (r *Reader) Read(ctx context.Context, data []byte) (int, error) {
	for {
		file, at, there, err := r.Part(ctx)
		if err != nil {
			return 0, err
		}
		n, err := file.ReadAt(data[:min(int64(len(data)), there)], at)
		r.Skip(int64(n))
		switch {
		case n > 0:
			return n, nil
		case !errors.Is(err, io.EOF):
			return 0, err
		}
		if err := r.Cut(); err != nil {
			return 0, err
		}
	}
}

// Part returns where the next bytes are: there bytes at offset at of a file, which the
// reader closes. It blocks and returns errors like Wait. The caller calls Skip with the
// number of bytes it has taken, or Cut if the file ends before them.
func (r *Reader) Part(ctx context.Context) (file *os.File, at, there int64, err error) {
	for r.file == nil || r.Offset() < r.segment.start || r.Offset() >= r.end {
		next, err := r.wait(ctx)
		if err != nil {
			return nil, 0, 0, err
		}
		err = r.open(next.segment)
		if errors.Is(err, os.ErrNotExist) { // the next wait returns what is missing
			if err = r.journal.missing(next.segment); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, 0, 0, err
		}
		r.end = next.end
	}
	offset := r.Offset()
	return r.file, offset - r.segment.start, r.end - offset, nil
}

// Skip advances the offset by n bytes.
func (r *Reader) Skip(n int64) {
	if n > 0 {
		r.offset.Add(n)
		r.passed = 0
	}
}

// Cut must be called if the file of the Part is too short: its segment was dropped
// because the disk is full, or another program has cut it. The next Wait returns what is
// missing.
func (r *Reader) Cut() error {
	r.end = r.Offset()
	r.file.Close() // another file may have its name now
	r.file = nil
	return r.journal.missing(r.segment)
}

// part is what a reader can read without blocking: bytes of a segment, up to offset end.
type part struct {
	segment segment
	end     int64
}

// locate finds the segment that holds the next byte. If there is none yet, it returns a
// channel that is closed when there may be one.
func (r *Reader) locate() (p part, more <-chan struct{}, err error) {
	j := r.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	offset := r.Offset()
	loss := j.store.gaps.lossAt(offset, r.passed)
	if loss != nil && loss.Offset == offset {
		r.passed++
		return p, nil, &LossError{*loss}
	}
	// Search from the end, where most readers are.
	at := len(j.store.segments) - 1
	for at > 0 && j.store.segments[at-1].end() > offset {
		at--
	}
	here := j.store.segments[at]
	switch {
	case offset < here.start:
		r.Skip(here.start - offset)
		return p, nil, &GapError{From: offset, To: here.start}
	case offset >= here.end() && j.closed:
		return p, nil, ErrClosed
	case offset >= here.end():
		return p, j.growth.wait(), nil
	}
	p = part{here, here.end()}
	if loss != nil {
		p.end = min(p.end, loss.Offset)
	}
	return p, nil, nil
}

// open opens the file of the segment, unless it is open already.
func (r *Reader) open(s segment) error {
	if r.file != nil && r.segment.same(s) {
		return nil
	}
	file, err := os.Open(s.path(r.journal.store.dir))
	if err != nil {
		return err
	}
	if r.file != nil {
		r.file.Close()
	}
	r.file, r.segment = file, s
	return nil
}
