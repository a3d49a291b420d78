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
	written  bool
}

// Look reads which part of the stream is kept in dir. It changes nothing, and keeps no
// writer out. The error is os.ErrNotExist if the folder holds no stream.
func Look(dir string) (*Snapshot, error) {
	found, _, err := list(dir)
	if err == nil && len(found) == 0 {
		err = os.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	return &Snapshot{dir, found, isWritten(dir)}, nil
}

// End returns the offset behind the newest byte.
func (s *Snapshot) End() int64 { return s.segments[len(s.segments)-1].end() }

// Copy writes the bytes from offset start to end to w. For bytes that are missing
// among them, or are dropped meanwhile, it returns a *GapError, or several joined,
// once all that is left is written.
func (s *Snapshot) Copy(w io.Writer, start, end int64) error {
	var gaps []error
	missing := func(from, to int64) {
		if from < to {
			gaps = append(gaps, &GapError{From: from, To: to})
		}
	}
	next := start
	for _, segment := range s.segments {
		from, to := max(start, segment.start), min(end, segment.end())
		if from >= to {
			continue
		}
		missing(next, from)
		next = to
		n, err := s.copyPart(w, segment, from, to)
		if err != nil {
			return err
		}
		missing(from+n, to)
	}
	return errors.Join(gaps...)
}

// copyPart copies a part of one segment, as much as there is.
func (s *Snapshot) copyPart(w io.Writer, part segment, from, to int64) (int64, error) {
	file, err := os.Open(part.path(s.dir))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(w, io.NewSectionReader(file, from-part.start, to-from))
	return n, errors.Join(err, file.Close())
}

// Times returns when the bytes from offset start to end came. Bytes whose index is
// lost have no time.
func (s *Snapshot) Times(start, end int64) Times {
	var times Times
	for _, segment := range s.segments {
		if segment.end() <= start || segment.start >= end {
			continue
		}
		marks, _ := readIndex(segment.path(s.dir) + indexSuffix)
		for _, mark := range marks {
			if mark.Offset >= segment.start && mark.Offset < segment.end() {
				times = append(times, mark)
			}
		}
	}
	return times
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
