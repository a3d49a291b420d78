package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Retention is how much of the stream is kept. Whole segments go, oldest
// first, while one of the two is exceeded; the newest stays.
type Retention struct {
	Bytes int64 // of all segments
	Boots int   // the newest included
}

// DefaultRetention is what is kept unless told otherwise.
var DefaultRetention = Retention{Bytes: 64 << 20, Boots: 10}

// segmentBytes returns the size at which a segment is full: a quarter of what is
// kept, so that no less than three quarters are, between 1 MiB and SegmentBytes.
func (r Retention) segmentBytes() int64 { return min(SegmentBytes, max(1<<20, r.Bytes/4)) }

// retain unlinks the segments that are too many. A segment that cannot be
// unlinked stays, and is tried again the next time. The caller holds the lock.
func (j *Journal) retain() {
	newest := j.last()
	for len(j.segments) > 1 {
		oldest := j.segments[0]
		kept := newest.end() - oldest.start
		if kept <= j.retention.Bytes && newest.boot-oldest.boot < j.retention.Boots {
			return
		}
		if !j.drop() {
			return
		}
	}
}

// drop unlinks the oldest segment, and reports whether that has worked. A reader that
// has it open does not keep its space: it is emptied, unless it has another name too,
// by which a user keeps it.
func (j *Journal) drop() bool {
	path := j.segments[0].path(j.dir)
	file, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == nil {
		defer file.Close()
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false
	}
	_ = os.Remove(path + indexSuffix) // else sweep will do it
	j.segments = j.segments[1:]
	j.forget()
	var stat unix.Stat_t
	if err == nil && unix.Fstat(int(file.Fd()), &stat) == nil && stat.Nlink == 0 {
		_ = file.Truncate(0) // else it goes with its last reader
	}
	return true
}
