package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// Snapshot is the state of a journal at the time of a call to TakeSnapshot. It is for a
// process that does not write the journal; another process may write it meanwhile.
type Snapshot struct {
	dir      string
	segments segments
	written  bool
}

// TakeSnapshot returns the current state of the journal in dir. It changes nothing and
// does not prevent a writer from opening the journal. It returns os.ErrNotExist if the
// folder holds no stream.
func TakeSnapshot(dir string) (*Snapshot, error) {
	found, _, err := list(dir)
	if err == nil && len(found) == 0 {
		err = os.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	return &Snapshot{dir, found, isWritten(dir)}, nil
}

// End returns the offset just after the newest byte.
func (s *Snapshot) End() int64 { return s.segments[len(s.segments)-1].end() }

// Written reports whether a process had the journal open for writing.
func (s *Snapshot) Written() bool { return s.written }

// Boots returns the boots of which something is kept, oldest first. A boot that printed
// nothing is included only if it is the newest.
func (s *Snapshot) Boots() []Boot {
	text, _ := newBootLog(s.dir).file.read() // on error, only times and exit causes are missing
	records := parseBoots(text)
	boots := s.segments.boots()
	for i := range boots {
		boot := &boots[i]
		record := recordOf(&records, boot.Number)
		boot.Started, boot.Ended, boot.How, boot.Restarts = record.Started, record.Ended, record.How, record.Restarts
		boot.Ready, boot.ReadyBy = record.Ready, record.ReadyBy
		boot.Last = s.lastOf(boot.Number)
	}
	return boots
}

// Boot returns a boot: 0 is the newest, -1 the one before, and so on, counting the boots
// that Boots returns. It returns ErrNotKept if nothing is kept of the boot, and another
// error if nothing was ever printed.
func (s *Snapshot) Boot(back int) (Boot, error) {
	return choose(s.Boots(), back)
}

// lastOf returns the time at which the last byte of a boot was written, by the index.
func (s *Snapshot) lastOf(boot int) time.Time {
	for _, segment := range slices.Backward(s.segments) {
		if segment.boot != boot || segment.size == 0 {
			continue
		}
		marks, err := readIndex(segment.path(s.dir) + indexSuffix)
		if err == nil && len(marks) > 0 {
			return marks[len(marks)-1].Time
		}
	}
	return time.Time{}
}

// Copy writes the bytes from offset start to end to w. If bytes among them are missing or
// are dropped meanwhile, it writes the rest and returns a *GapError, or several joined.
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

// copyPart copies a part of one segment, as far as it exists.
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

// tailBytes is how much Tail reads at once.
const tailBytes = 64 << 10

// Tail returns the offset at which the last n lines of the bytes from offset start to end
// begin: start if there are not more. A line need not end with a newline.
func (s *Snapshot) Tail(start, end int64, n int) (int64, error) {
	var text bytes.Buffer
	for _, segment := range slices.Backward(s.segments) {
		from, to := max(start, segment.start), min(end, segment.end())
		for from < to {
			at := max(from, to-tailBytes)
			text.Reset()
			if _, err := s.copyPart(&text, segment, at, to); err != nil {
				return 0, err
			}
			for i, char := range slices.Backward(text.Bytes()) {
				next := at + int64(i) + 1
				if char != '\n' || next == end {
					continue
				}
				if n--; n == 0 {
					return next, nil
				}
			}
			to = at
		}
	}
	return start, nil
}

// Times returns the times at which the bytes from offset start to end were written. Bytes
// whose index is lost have no time.
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

// Times is a list of marks, sorted by offset.
type Times []Mark

// At returns when the byte at offset was written, with a resolution of markEvery, or the
// zero time if that is unknown.
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
