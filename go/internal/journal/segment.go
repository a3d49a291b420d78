package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// segment is one file of the stream.
type segment struct {
	start int64 // offset of its first byte
	boot  int   // the boot that it is of, from 0
	size  int64 // bytes
}

// end is the offset behind the segment's last byte.
func (s segment) end() int64 { return s.start + s.size }

// segmentName is start and boot, so that names sort as the segments do.
const segmentName = "%020d.%06d.log"

// path is the segment's file in dir.
func (s segment) path(dir string) string {
	return filepath.Join(dir, fmt.Sprintf(segmentName, s.start, s.boot))
}

// segments are all that is kept of a stream, oldest first.
type segments []segment

// bootRange is where a boot begins and ends; see Journal.BootRange.
func (all segments) bootRange(back int) (start, end int64, err error) {
	newest := all[len(all)-1].boot
	wanted, found := newest+back, false
	for _, s := range all {
		if s.boot != wanted {
			continue
		}
		if !found {
			start, found = s.start, true
		}
		end = s.end()
	}
	if back == 0 && newest == 0 && start == end {
		return 0, 0, errors.New("nothing was printed yet")
	}
	if !found || wanted == 0 && start == end {
		return 0, 0, fmt.Errorf("boot: %d %w (%s)", back, ErrNotKept, all.choice())
	}
	return start, end, nil
}

// choice says which boots can be asked for. One without a mark of which nothing was
// printed is none.
func (all segments) choice() string {
	newest := all[len(all)-1].boot
	for _, s := range all {
		if s.boot < newest && (s.boot > 0 || s.size > 0) {
			return fmt.Sprintf("choose one from %d, the oldest, to 0, the newest", s.boot-newest)
		}
	}
	return "0, the newest, is the only one"
}

// list reads the segments in dir, oldest first. Other files are left alone. A
// hole between two segments is what was taken away from outside: nobody can read
// it. Two that overlap are an error.
func list(dir string) (segments, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found segments
	for _, entry := range entries {
		var s segment
		if _, err := fmt.Sscanf(entry.Name(), segmentName, &s.start, &s.boot); err != nil {
			continue
		}
		if filepath.Base(s.path(dir)) != entry.Name() || !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // its writer has just dropped it
		}
		if err != nil {
			return nil, err
		}
		s.size = info.Size()
		found = append(found, s)
	}
	slices.SortFunc(found, func(a, b segment) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.boot, b.boot))
	})
	for i := range found[:max(0, len(found)-1)] {
		if here, next := found[i], found[i+1]; here.end() > next.start || here.boot > next.boot {
			return nil, fmt.Errorf("%s does not end before %s begins (move the folder away)", here.path(dir), next.path(dir))
		}
	}
	return found, nil
}
