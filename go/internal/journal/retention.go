package journal

import "time"

// Retention limits how much of the stream is kept. While one of its limits is exceeded,
// the oldest segment is removed, but never the newest. What open readers still have to
// read is kept up to heldFactor times Bytes.
type Retention struct {
	Bytes int64 // size of all segments
	Boots int   // number of boots that have printed something
}

// DefaultRetention is the default.
var DefaultRetention = Retention{Bytes: 64 << 20, Boots: 10}

const (
	// heldFactor times Retention.Bytes is the most that is kept for readers.
	heldFactor = 4
	// idleLimit is the time after which nothing is kept for a reader that has not read
	// although it could.
	idleLimit = 30 * time.Second
)

// segmentBytes returns the size at which a segment is full: a quarter of Bytes, so that
// at least three quarters are kept, but between 1 MiB and SegmentBytes.
func (r Retention) segmentBytes() int64 { return min(SegmentBytes, max(1<<20, r.Bytes/4)) }

// retain removes the segments in excess of the retention. If one cannot be removed, the
// next call tries again.
func (s *store) retain(now time.Time) {
	for len(s.segments) > 1 && s.exceeded() && !s.held(now) {
		if !s.drop() {
			return
		}
	}
}

// bytes returns the size of the kept part of the stream.
func (s *store) bytes() int64 { return s.last().end() - s.segments[0].start }

// exceeded reports whether a limit of the retention is exceeded.
func (s *store) exceeded() bool {
	if s.bytes() > s.retention.Bytes {
		return true
	}
	most := s.last().boot - s.segments[0].boot + 1
	return most > s.retention.Boots && s.segments.printed() > s.retention.Boots
}

// held reports whether a reader needs the oldest segment.
func (s *store) held(now time.Time) bool {
	quarter := (s.bytes() + heldFactor - 1) / heldFactor // retention.Bytes * heldFactor might overflow
	return quarter <= s.retention.Bytes && s.readers.need(s.segments[0].end(), now)
}

// readers is the set of open readers.
type readers map[*Reader]struct{}

// sample records which readers have read something since the last sample, or have read
// everything up to end.
func (all readers) sample(end int64, now time.Time) {
	for r := range all {
		if offset := r.Offset(); offset != r.sampled || offset >= end {
			r.sampled, r.active = offset, now
		}
	}
}

// need reports whether a reader that is not idle still has to read bytes before end.
func (all readers) need(end int64, now time.Time) bool {
	for r := range all {
		offset := r.Offset()
		if offset < end && (offset != r.sampled || now.Sub(r.active) < idleLimit) {
			return true
		}
	}
	return false
}
