package journal

import (
	"cmp"
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

// list reads the segments in dir, oldest first. Other files are left alone. A
// hole between two segments is an error: bytes have been lost from outside.
func list(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var segments []segment
	for _, entry := range entries {
		var s segment
		if _, err := fmt.Sscanf(entry.Name(), segmentName, &s.start, &s.boot); err != nil {
			continue
		}
		if filepath.Base(s.path(dir)) != entry.Name() || !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return nil, err
		}
		s.size = info.Size()
		segments = append(segments, s)
	}
	slices.SortFunc(segments, func(a, b segment) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.boot, b.boot))
	})
	for i := range segments[:max(0, len(segments)-1)] {
		if here, next := segments[i], segments[i+1]; here.end() != next.start || here.boot > next.boot {
			return nil, fmt.Errorf("%s does not end where %s begins (move the folder away)", here.path(dir), next.path(dir))
		}
	}
	return segments, nil
}
