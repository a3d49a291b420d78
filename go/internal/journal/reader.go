package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// Missing tells whether err is that bytes are missing where a reader is, and it
// goes on behind them: a *GapError, or a *LossError.
func Missing(err error) bool {
	var gap *GapError
	var loss *LossError
	return errors.As(err, &gap) || errors.As(err, &loss)
}

// Reader reads the stream from an offset on, and then waits for more. It is
// for one goroutine; many readers may read at once.
type Reader struct {
	journal *Journal
	offset  int64
	file    *os.File // of segment
	segment segment  // that holds offset
	end     int64    // of what is known to be there
	told    int      // how many of the losses at offset the reader was told
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

// Wait waits until there is something to read, or ctx ends. It is a *GapError
// where bytes have gone meanwhile, a *LossError where some were never kept, and
// ErrClosed where the journal was closed and all of it has been read.
func (r *Reader) Wait(ctx context.Context) error {
	for {
		_, more, err := r.locate()
		if more == nil || err != nil {
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

// Part tells where what comes next lies: there bytes at a place in a file, which
// stays the reader's. It waits for them as Wait does. The caller says with Skip
// how many of them it took, or with Cut that the file ends before them.
func (r *Reader) Part(ctx context.Context) (file *os.File, at, there int64, err error) {
	for r.file == nil || r.offset < r.segment.start || r.offset >= r.end {
		if err := r.Wait(ctx); err != nil {
			return nil, 0, 0, err
		}
		part, more, err := r.locate()
		if more != nil || err != nil {
			continue // it has gone since; Wait will tell
		}
		err = r.open(part.segment)
		if errors.Is(err, os.ErrNotExist) {
			err = r.journal.missing(part.segment)
			if err == nil {
				continue // Wait will tell
			}
		}
		if err != nil {
			return nil, 0, 0, err
		}
		r.end = part.end
	}
	return r.file, r.offset - r.segment.start, r.end - r.offset, nil
}

// Skip passes over n bytes.
func (r *Reader) Skip(n int64) {
	if n > 0 {
		r.offset, r.told = r.offset+n, 0
	}
}

// Cut tells that the file of the Part ends before its time: its segment has been
// dropped for want of space, or somebody has cut it off. What is missing is told
// by the next Wait.
func (r *Reader) Cut() error {
	r.end = r.offset
	r.file.Close() // another file may have its name now
	r.file = nil
	return r.journal.missing(r.segment)
}

// part is what a reader can read at once: a segment, up to offset end.
type part struct {
	segment segment
	end     int64
}

// locate finds the segment that holds the next byte. Where that has not come
// yet, more is a channel that is closed when it may have.
func (r *Reader) locate() (p part, more <-chan struct{}, err error) {
	j := r.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	loss := j.lossAt(r.offset, r.told)
	if loss != nil && loss.Offset == r.offset {
		r.told++
		return p, nil, &LossError{*loss}
	}
	// From the end: most readers are there.
	at := len(j.segments) - 1
	for at > 0 && j.segments[at-1].end() > r.offset {
		at--
	}
	here := j.segments[at]
	switch {
	case r.offset < here.start:
		gap := &GapError{From: r.offset, To: here.start}
		r.Skip(here.start - r.offset)
		return p, nil, gap
	case r.offset >= here.end() && j.closed:
		return p, nil, ErrClosed
	case r.offset >= here.end():
		if j.more == nil {
			j.more = make(chan struct{})
		}
		return p, j.more, nil
	}
	p = part{here, here.end()}
	if loss != nil {
		p.end = min(p.end, loss.Offset)
	}
	return p, nil, nil
}

// open opens the segment's file, unless it is open.
func (r *Reader) open(s segment) error {
	if r.file != nil && r.segment.start == s.start && r.segment.boot == s.boot {
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
