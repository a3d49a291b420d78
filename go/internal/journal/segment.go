package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// segment is one file of the stream.
type segment struct {
	start int64 // offset of its first byte
	boot  int   // number of its boot, from 0
	size  int64 // in bytes
}

// end returns the offset just after the segment's last byte.
func (s segment) end() int64 { return s.start + s.size }

// same reports whether two values denote the same segment.
func (s segment) same(other segment) bool { return s.start == other.start && s.boot == other.boot }

// segmentName contains start and boot, so that names sort like segments.
const segmentName = "%020d.%06d.log"

// path returns the path of the segment's file in dir.
func (s segment) path(dir string) string {
	return filepath.Join(dir, fmt.Sprintf(segmentName, s.start, s.boot))
}

// segments are the kept segments of a stream, oldest first.
type segments []segment

// boots returns the boots of which something is kept, with number, start and end. A boot
// that printed nothing is included only if it is the newest and Boot has begun it.
func (all segments) boots() (boots []Boot) {
	for i, s := range all {
		newest := i == len(all)-1 && s.boot > 0
		if len(boots) > 0 && boots[len(boots)-1].Number == s.boot {
			boots[len(boots)-1].End = s.end()
		} else if s.size > 0 || newest {
			boots = append(boots, Boot{Number: s.boot, Start: s.start, End: s.end()})
		}
	}
	return boots
}

// printed returns the number of boots of which at least one byte is kept.
func (all segments) printed() (n int) {
	boot := -1
	for _, s := range all {
		if s.size > 0 && s.boot != boot {
			boot = s.boot
			n++
		}
	}
	return n
}

// choose returns the boot that back selects: 0 is the newest.
func choose(boots []Boot, back int) (Boot, error) {
	newest := len(boots) - 1
	at := newest + back
	switch {
	case back == 0 && newest < 0:
		return Boot{}, errors.New("nothing was printed yet")
	case at >= 0 && at <= newest:
		return boots[at], nil
	case newest < 1:
		return Boot{}, fmt.Errorf("boot: %d %w (0, the newest, is the only one)", back, ErrNotKept)
	}
	return Boot{}, fmt.Errorf("boot: %d %w (choose one from %d, the oldest, to 0, the newest)", back, ErrNotKept, -newest)
}

// maxOffset and maxBoot limit the numbers in names. They leave room for the stream to
// continue.
const (
	maxOffset = 1 << 61
	maxBoot   = 1 << 30
)

// parseName returns the segment of a file with this name, without its size.
func parseName(name string) (s segment, ok bool) {
	if _, err := fmt.Sscanf(name, segmentName, &s.start, &s.boot); err != nil {
		return s, false
	}
	known := s.start >= 0 && s.start <= maxOffset && s.boot >= 0 && s.boot <= maxBoot
	return s, known && filepath.Base(s.path("")) == name
}

// list returns the segments in dir, oldest first. It ignores other files. A hole between
// two segments is due to another program or a power failure. unfit are the segments that
// do not fit between the others.
func list(dir string) (found, unfit segments, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	var all segments
	for _, entry := range entries {
		s, ok := parseName(entry.Name())
		if !ok || !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // the writer has just dropped it
		}
		if err != nil {
			return nil, nil, err
		}
		if s.size = info.Size(); s.size <= maxOffset {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b segment) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.boot, b.boot))
	})
	found, unfit = fit(all)
	return found, unfit, nil
}

// fit splits segments into those that follow one another and those that do not fit. If a
// segment begins inside the one before, that one is shortened: another program has
// appended the excess. An empty segment has no such effect.
func fit(all segments) (found, unfit segments) {
	for _, s := range all {
		if len(found) > 0 {
			last := &found[len(found)-1]
			if s.boot < last.boot || s.start < last.end() && s.size == 0 {
				unfit = append(unfit, s)
				continue
			}
			last.size = min(last.size, s.start-last.start)
		}
		found = append(found, s)
	}
	return found, unfit
}

// sweep removes files in dir that belong to no segment: the index of a segment that is
// gone, and unfinished replacements of record files. It ignores errors.
func sweep(dir string, found segments) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		name, index := strings.CutSuffix(entry.Name(), indexSuffix)
		s, ok := parseName(name)
		unfinished := entry.Name() == gapsName+newSuffix || entry.Name() == bootsName+newSuffix
		if index && ok && !slices.ContainsFunc(found, s.same) || unfinished {
			_ = os.Remove(filepath.Join(dir, entry.Name()))
		}
	}
}

// setAside moves the file at path out of the way. It removes an empty file, and renames
// others to a name that no segment has.
func setAside(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().IsRegular() && info.Size() == 0:
		return os.Remove(path)
	}
	return os.Rename(path, path+time.Now().UTC().Format(".aside-20060102T150405.000000000"))
}
