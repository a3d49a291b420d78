package journal

import (
	"fmt"
	"path/filepath"
	"slices"
)

// gapsName is the name of the file with the gaps.
const gapsName = "gaps"

// gapLog holds the gaps in the kept part of the stream, in memory and in a file.
type gapLog struct {
	gaps gaps
	loss *Gap // loss in progress; nil if none
	file lineFile[Gap]
}

func newGapLog(dir string) *gapLog {
	return &gapLog{file: lineFile[Gap]{path: filepath.Join(dir, gapsName), most: 2 * maxGaps}}
}

// open reads the file. It returns an error only for a temporary shortage; see shortage. A
// file that cannot be read for another reason is set aside, which is reported as a gap at
// oldest.
func (l *gapLog) open(oldest int64) error {
	text, err := l.file.read()
	if shortage(err) {
		return err
	}
	if err != nil {
		_ = setAside(l.file.path) // if this fails, the file stays
		l.add(Gap{Offset: oldest, Cause: fmt.Sprintf("%s, which was set aside: %v", l.file.path, err)})
		return nil
	}
	l.gaps = parseGaps(text)
	return nil
}

// add adds a gap.
func (l *gapLog) add(gap Gap) {
	if l.gaps.add(gap) {
		l.file.append(gap, l.gaps)
	}
}

// causeUnsaved is the cause of a gap that only the record of the lock file has.
const causeUnsaved = "the journal could not be written"

// addRecorded adds the gap of a record unless it is known.
func (l *gapLog) addRecorded(r record) {
	known := func(gap Gap) bool { return gap.Offset == r.gapAt }
	if r.gap != 0 && !slices.ContainsFunc(l.gaps, known) {
		l.add(Gap{Offset: r.gapAt, Bytes: max(r.gap, 0), Cause: causeUnsaved})
	}
}

// unsaved returns a gap that the file lacks: the loss in progress, or the newest one of those that
// could not be written; nil if there is none.
func (l *gapLog) unsaved() *Gap {
	if l.loss == nil && l.file.stale && len(l.gaps) > 0 && !l.gaps[len(l.gaps)-1].Taken {
		return &l.gaps[len(l.gaps)-1]
	}
	return l.loss
}

// lose records that bytes at offset could not be kept. They extend one gap until endLoss.
func (l *gapLog) lose(offset, bytes int64, cause error) {
	if l.loss == nil {
		l.loss = &Gap{Offset: offset, Cause: cause.Error()}
	}
	l.loss.Bytes += bytes
}

// endLoss ends the loss in progress, if any, because something was kept again.
func (l *gapLog) endLoss() {
	if l.loss != nil {
		l.add(*l.loss)
		l.loss = nil
	}
}

// forget removes the gaps that end before oldest.
func (l *gapLog) forget(oldest int64) {
	before := len(l.gaps)
	l.gaps = slices.DeleteFunc(l.gaps, func(gap Gap) bool { return gap.end() < oldest })
	l.file.stale = l.file.stale || len(l.gaps) < before
}

// list returns the gaps for reporting, sorted by offset.
func (l *gapLog) list() (all []Gap) {
	for _, gap := range l.gaps {
		all = append(all, gap.summary())
	}
	if l.loss != nil {
		all = append(all, *l.loss)
	}
	return all
}

// lossAt returns the first gap at or after offset whose bytes were never kept, skipping
// the first passed ones at offset itself. It returns nil if there is none.
func (l *gapLog) lossAt(offset int64, passed int) *Gap {
	for _, gap := range l.gaps {
		switch {
		case gap.Taken || gap.Offset < offset:
		case gap.Offset == offset && passed > 0:
			passed--
		default:
			gap = gap.summary()
			return &gap
		}
	}
	return nil
}

// Gaps returns the gaps in the kept part of the stream, sorted by offset.
func (j *Journal) Gaps() []Gap {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.gaps.list()
}
