package journal

import "time"

// Retention is how much of the stream is kept. Whole segments go, oldest first, while one
// of the two is exceeded; the newest stays. What open readers still have to read is kept
// up to heldFactor times Bytes.
type Retention struct {
	Bytes int64 // of all segments
	Boots int   // that have printed something
}

// DefaultRetention is what is kept by default.
var DefaultRetention = Retention{Bytes: 64 << 20, Boots: 10}

const (
	// heldFactor is how many times Retention.Bytes readers can keep.
	heldFactor = 4
	// idleLimit is how long a reader may read nothing, although there is something to
	// read, until it keeps nothing.
	idleLimit = 30 * time.Second
)

// segmentBytes returns the size at which a segment is full: a quarter of what is
// kept, so that no less than three quarters are, between 1 MiB and SegmentBytes.
func (r Retention) segmentBytes() int64 { return min(SegmentBytes, max(1<<20, r.Bytes/4)) }

// retain unlinks the segments that are too many. A segment that cannot be unlinked stays,
// and is tried again the next time.
func (s *store) retain(now time.Time) {
	for len(s.segments) > 1 && s.exceeded() && !s.held(now) {
		if !s.drop() {
			return
		}
	}
}

// bytes returns how much is kept.
func (s *store) bytes() int64 { return s.last().end() - s.segments[0].start }

// exceeded reports whether more is kept than the retention says.
func (s *store) exceeded() bool {
	if s.bytes() > s.retention.Bytes {
		return true
	}
	most := s.last().boot - s.segments[0].boot + 1
	return most > s.retention.Boots && s.segments.printed() > s.retention.Boots
}

// held reports whether a reader keeps the oldest segment.
func (s *store) held(now time.Time) bool {
	quarter := (s.bytes() + heldFactor - 1) / heldFactor // of a sum that may not overflow
	return quarter <= s.retention.Bytes && s.readers.need(s.segments[0].end(), now)
}

// readers are the open readers.
type readers map[*Reader]struct{}

// sample takes note of the readers that have read something since the last sample, or
// have read all up to end.
func (all readers) sample(end int64, now time.Time) {
	for r := range all {
		if offset := r.Offset(); offset != r.sampled || offset >= end {
			r.sampled, r.active = offset, now
		}
	}
}

// need reports whether a reader that is not idle has to read something before end.
func (all readers) need(end int64, now time.Time) bool {
	for r := range all {
		offset := r.Offset()
		if offset < end && (offset != r.sampled || now.Sub(r.active) < idleLimit) {
			return true
		}
	}
	return false
}
