package journal

import "errors"

// ErrNotKept tells that nothing is kept of a boot: it is too long ago, or never was.
var ErrNotKept = errors.New("is not kept")

// Range is the part of the stream that is kept: from the oldest byte to the
// one behind the newest.
func (j *Journal) Range() (oldest, end int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.segments[0].start, j.last().end()
}

// BootNumber is the number of the newest boot, from 1; 0 before the first one.
func (j *Journal) BootNumber() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last().boot
}

// BootRange returns where a boot begins and ends: 0 is the newest, -1 the one before, and
// so on; see Snapshot.Boots for which there are. The newest one has not ended: its end is
// where the stream ends now. The error is ErrNotKept if nothing is kept of it, and another
// one if nothing was ever printed.
func (j *Journal) BootRange(back int) (start, end int64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	boot, err := choose(j.segments.boots(), back)
	return boot.Start, boot.End, err
}
