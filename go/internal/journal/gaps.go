package journal

import (
	"fmt"
	"slices"
)

// Gap is a part of the stream that is missing.
type Gap struct {
	Offset int64  `json:"offset"` // where it is
	Bytes  int64  `json:"bytes"`  // 0: it is not known how many, if any
	Cause  string `json:"cause"`
	// Taken is set if the bytes were kept, from Offset on, and taken away from outside.
	// Others were never kept: what came behind them is at Offset.
	Taken bool `json:"taken,omitempty"`
	// Folded is how many earlier gaps are counted with this one.
	Folded int `json:"folded,omitempty"`
}

// behind returns the offset at which the stream goes on.
func (g Gap) behind() int64 {
	if g.Taken {
		return g.Offset + g.Bytes
	}
	return g.Offset
}

// LossError is returned to a reader where bytes that were printed could not be kept. The
// reader goes on behind them.
type LossError struct{ Gap Gap }

func (e *LossError) Error() string {
	if e.Gap.Bytes == 0 {
		return fmt.Sprintf("bytes may be missing here (offset %d: %s)", e.Gap.Offset, e.Gap.Cause)
	}
	return fmt.Sprintf("%d bytes were lost (offset %d: %s)", e.Gap.Bytes, e.Gap.Offset, e.Gap.Cause)
}

// summary returns the gap as it is reported, with the gaps that are folded into it.
func (g Gap) summary() Gap {
	if g.Folded > 0 {
		g.Cause += fmt.Sprintf("; with %d gaps before it", g.Folded)
	}
	return g
}

// maxGaps bounds how many gaps are reported one by one: older ones are counted with
// the next one.
const maxGaps = 1000

// gaps are in the order of their offsets.
type gaps []Gap

// parseGaps reads gaps. A record that cannot be one is passed over.
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

// add adds a gap, and reports whether that is a change. A gap of which the place says
// all is added once; one that was taken beside another one, for the same cause,
// becomes a part of that.
func (all *gaps) add(gap Gap) bool {
	if (gap.Taken || gap.Bytes == 0) && slices.Contains(*all, gap) {
		return false
	}
	for i := range *all {
		here := &(*all)[i]
		if !gap.Taken || !here.Taken || here.Cause != gap.Cause || here.behind() != gap.Offset && gap.behind() != here.Offset {
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

// fold counts the oldest gap that was never kept with the next one. What was taken
// away is not folded: it was kept, so that there is no more of it than of files.
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

// uncovered returns what is missing from offset from to to and is in no gap yet.
func (all gaps) uncovered(from, to int64) (holes []Gap) {
	add := func(to int64) {
		if from < to {
			holes = append(holes, Gap{Offset: from, Bytes: to - from, Cause: causeHole, Taken: true})
		}
	}
	for _, gap := range all {
		if gap.Taken && gap.behind() > from && gap.Offset < to {
			add(gap.Offset)
			from = gap.behind()
		}
	}
	add(to)
	return holes
}
