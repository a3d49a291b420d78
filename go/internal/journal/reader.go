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

// GapError is returned to a reader where bytes are no longer kept. The reader goes on
// behind them.
type GapError struct {
	From, To int64 // the first byte that is missing, and the first that is not
}

func (e *GapError) Error() string {
	return fmt.Sprintf("%d bytes are no longer kept (offset %d to %d)", e.To-e.From, e.From, e.To)
}

// Missing reports whether err says that bytes are missing where a reader was, and that it
// goes on behind them: a *GapError, or a *LossError.
func Missing(err error) bool {
	var gap *GapError
	var loss *LossError
	return errors.As(err, &gap) || errors.As(err, &loss)
}

// Reader reads the stream from an offset on, and then waits for more. Only Offset may be
// called from several goroutines; many readers may read at once.
//
// What a reader still has to read is kept, up to four times Retention.Bytes in all, unless
// it has read nothing for 30 s although there was something, or the disk is full.
type Reader struct {
	journal *Journal
	offset  atomic.Int64
	file    *os.File // of segment
	segment segment  // that holds offset
	end     int64    // of what is known to be there
	passed  int      // how many of the losses at offset have been returned

	// Guarded by the journal's lock; see readers.
	sampled int64     // the offset at the last sample
	active  time.Time // when the reader last made progress, or had nothing to read
}

// NewReader returns a reader at offset. The caller calls Close.
func (j *Journal) NewReader(offset int64) *Reader {
	r := &Reader{journal: j, sampled: offset, active: time.Now()}
	r.offset.Store(offset)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.store.readers[r] = struct{}{}
	return r
}

// Offset returns that of the next byte.
func (r *Reader) Offset() int64 { return r.offset.Load() }

// Close closes the reader. What was kept only for it may go.
func (r *Reader) Close() error {
	j := r.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.store.readers, r)
	if !j.closed { // else another process may write it
		j.store.retain(time.Now())
	}
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// Losses returns how many bytes are missing just where the reader is: those that could
// not be kept, and those that were taken away from outside. -1 means that it is not known
// how many. The reader goes on behind them.
func (r *Reader) Losses() int64 {
	bytes, doubt := int64(0), false
	for {
		_, _, err := r.locate()
		var gap *GapError
		var loss *LossError
		switch {
		case errors.As(err, &gap):
			bytes += gap.To - gap.From
		case errors.As(err, &loss):
			bytes, doubt = bytes+loss.Gap.Bytes, true
		case bytes == 0 && doubt:
			return -1
		default:
			return bytes
		}
	}
}

// Wait waits until there is something to read, or ctx ends. It returns a *GapError if
// bytes have gone meanwhile, a *LossError if some were never kept, and ErrClosed if the
// journal was closed and all of it has been read.
func (r *Reader) Wait(ctx context.Context) error {
	_, err := r.wait(ctx)
	return err
}

// wait is Wait; it returns what there is to read.
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

// Read reads what comes next into data, and waits for it as Wait does.
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

// Part returns where what comes next lies: there bytes at a place in a file, which
// stays the reader's. It waits for them as Wait does. The caller calls Skip with the
// number of bytes that it took, or Cut if the file ends before them.
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

// Skip passes over n bytes.
func (r *Reader) Skip(n int64) {
	if n > 0 {
		r.offset.Add(n)
		r.passed = 0
	}
}

// Cut is called if the file of the Part ends too early: its segment has been dropped for
// want of space, or it was cut from outside. The next Wait returns what is missing.
func (r *Reader) Cut() error {
	r.end = r.Offset()
	r.file.Close() // another file may have its name now
	r.file = nil
	return r.journal.missing(r.segment)
}

// part is what a reader can read at once: a segment, up to offset end.
type part struct {
	segment segment
	end     int64
}

// locate finds the segment that holds the next byte. If that has not come yet, more is a
// channel that is closed when it may have.
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
	// From the end: most readers are there.
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

// open opens the segment's file, unless it is open.
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
