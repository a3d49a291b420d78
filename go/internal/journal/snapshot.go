package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// Snapshot is what a journal held when Look looked, for those who do not write
// it: another process may, or none.
type Snapshot struct {
	dir      string
	segments segments
}

// Look reads which part of the stream is kept in dir. It takes no lock and
// changes nothing. A folder without a stream is an os.ErrNotExist.
func Look(dir string) (*Snapshot, error) {
	found, err := list(dir)
	if err == nil && len(found) == 0 {
		err = os.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	return &Snapshot{dir, found}, nil
}

// BootRange is where a boot begins and ends; see Journal.BootRange.
func (s *Snapshot) BootRange(back int) (start, end int64, err error) {
	return s.segments.bootRange(back)
}

// Copy writes the bytes from offset start to end to w. Bytes that have been
// dropped since are a *GapError, once all that is left is written.
func (s *Snapshot) Copy(w io.Writer, start, end int64) error {
	var gap error
	next := start
	for _, segment := range s.segments {
		from, to := max(start, segment.start), min(end, segment.end())
		if from >= to {
			continue
		}
		if from > next {
			gap = &GapError{From: next, To: from}
		}
		next = to
		file, err := os.Open(segment.path(s.dir))
		if errors.Is(err, os.ErrNotExist) {
			gap = &GapError{From: from, To: to}
			continue
		}
		if err != nil {
			return err
		}
		_, err = io.Copy(w, io.NewSectionReader(file, from-segment.start, to-from))
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return gap
}

// Times tells when the bytes from offset start to end came. Where an index is
// lost, its bytes have no time.
func (s *Snapshot) Times(start, end int64) (Times, error) {
	var times Times
	for _, segment := range s.segments {
		if segment.end() <= start || segment.start >= end {
			continue
		}
		marks, err := readIndex(segment.path(s.dir) + indexSuffix)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		times = append(times, marks...)
	}
	return times, nil
}

// Times are marks in the order of their offsets.
type Times []Mark

// At is when the byte at offset came, to indexEvery; zero where that is not
// known.
func (t Times) At(offset int64) time.Time {
	i, exact := slices.BinarySearchFunc(t, offset, func(m Mark, offset int64) int { return int(m.Offset - offset) })
	switch {
	case exact:
		return t[i].Time
	case i == 0:
		return time.Time{}
	}
	return t[i-1].Time
}
