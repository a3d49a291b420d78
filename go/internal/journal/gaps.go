package journal

import (
	"fmt"
	"slices"
)

// Gap is a missing part of the stream.
type Gap struct {
	Offset int64  `json:"offset"` // where bytes are missing
	Bytes  int64  `json:"bytes"`  // 0 if the number is unknown and may be zero
	Cause  string `json:"cause"`
	// Taken is set if the bytes, from Offset on, were kept once and another program
	// removed them. The bytes of other gaps were never kept: the byte that followed them
	// is at Offset.
	Taken bool `json:"taken,omitempty"`
	// Folded is the number of earlier gaps whose bytes are included in this one.
	Folded int `json:"folded,omitempty"`
}

// end returns the offset at which the stream continues.
func (g Gap) end() int64 {
	if g.Taken {
		return g.Offset + g.Bytes
	}
	return g.Offset
}

// LossError is returned to a reader at a place where printed bytes could not be kept. The
// next read continues after them.
type LossError struct{ Gap Gap }

func (e *LossError) Error() string {
	if e.Gap.Bytes == 0 {
		return fmt.Sprintf("bytes may be missing here (offset %d: %s)", e.Gap.Offset, e.Gap.Cause)
	}
	return fmt.Sprintf("%d bytes were lost (offset %d: %s)", e.Gap.Bytes, e.Gap.Offset, e.Gap.Cause)
}

// summary returns the gap for reporting: its cause mentions the folded gaps.
func (g Gap) summary() Gap {
	if g.Folded > 0 {
		g.Cause += fmt.Sprintf("; with %d gaps before it", g.Folded)
	}
	return g
}

// maxGaps is the maximum number of gaps reported separately. Older gaps are folded into
// the next one.
const maxGaps = 1000

// gaps is sorted by offset.
type gaps []Gap

// parseGaps parses gaps. It skips records that are not valid.
func parseGaps(text []byte) (all gaps) {
	for _, gap := range parseLines[Gap](text) {
		if min(gap.Offset, gap.Bytes, int64(gap.Folded)) < 0 || max(gap.Offset, gap.Bytes) > maxOffset {
			continue
		}
		gap.Cause = printable(gap.Cause)
		all.add(gap)
	}
	return all
}

// add adds a gap, and reports whether that is a change. A gap of unknown size, or of
// bytes that were taken, is added only once. A gap of taken bytes next to another one
// with the same cause extends that one.
func (all *gaps) add(gap Gap) bool {
	if (gap.Taken || gap.Bytes == 0) && slices.Contains(*all, gap) {
		return false
	}
	for i := range *all {
		here := &(*all)[i]
		if !gap.Taken || !here.Taken || here.Cause != gap.Cause || here.end() != gap.Offset && gap.end() != here.Offset {
			continue
		}
		here.Offset, here.Bytes = min(here.Offset, gap.Offset), here.Bytes+gap.Bytes
		return true
	}
	at := len(*all)
	for at > 0 && (*all)[at-1].Offset > gap.Offset {
		at--
	}
	*all = slices.Insert(*all, at, gap)
	if len(*all) > maxGaps {
		all.fold()
	}
	return true
}

// fold adds the oldest gap of bytes that were never kept to the next one of this kind.
// Gaps of taken bytes are not folded: there cannot be more of them than files.
func (all *gaps) fold() {
	first := slices.IndexFunc(*all, func(gap Gap) bool { return !gap.Taken })
	for i := first + 1; first >= 0 && i < len(*all); i++ {
		if next := &(*all)[i]; !next.Taken {
			next.Bytes += (*all)[first].Bytes
			next.Folded += 1 + (*all)[first].Folded
			*all = slices.Delete(*all, first, first+1)
			return
		}
	}
}

// uncovered returns the parts of the range from from to to that no gap of taken bytes
// covers yet.
func (all gaps) uncovered(from, to int64) (holes []Gap) {
	add := func(to int64) {
		if from < to {
			holes = append(holes, Gap{Offset: from, Bytes: to - from, Cause: causeHole, Taken: true})
		}
	}
	for _, gap := range all {
		if gap.Taken && gap.end() > from && gap.Offset < to {
			add(gap.Offset)
			from = gap.end()
		}
	}
	add(to)
	return holes
}
