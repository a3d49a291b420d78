package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Gap is a part of the stream that is missing.
type Gap struct {
	Offset int64  `json:"offset"` // where it is
	Bytes  int64  `json:"bytes"`  // 0: nobody knows how many, if any
	Cause  string `json:"cause"`
	// Taken tells that the bytes were kept, from Offset on, and taken away from
	// outside. Others were never kept: what came behind them is at Offset.
	Taken bool `json:"taken,omitempty"`
	// Folded is how many earlier gaps are counted with this one.
	Folded int `json:"folded,omitempty"`
}

// behind is the offset at which the stream goes on.
func (g Gap) behind() int64 {
	if g.Taken {
		return g.Offset + g.Bytes
	}
	return g.Offset
}

// LossError tells a reader that bytes which were printed where it is could not
// be kept. It goes on behind them.
type LossError struct{ Gap Gap }

func (e *LossError) Error() string {
	if e.Gap.Bytes == 0 {
		return fmt.Sprintf("bytes may be missing here (offset %d: %s)", e.Gap.Offset, e.Gap.Cause)
	}
	return fmt.Sprintf("%d bytes were lost (offset %d: %s)", e.Gap.Bytes, e.Gap.Offset, e.Gap.Cause)
}

// gapsName is the file of the gaps that have been, a line of JSON for each.
const gapsName = "gaps"

// maxGaps bounds how many gaps are reported one by one: older ones are counted with
// the next one.
const maxGaps = 1000

// Lose takes note that bytes could not be kept.
func (j *Journal) Lose(bytes int64, cause error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.loss == nil {
		j.loss = &Gap{Offset: j.last().end(), Cause: cause.Error()}
	}
	j.loss.Bytes += bytes
}

// Doubt takes note that bytes may be missing, nobody knows how many, behind the next
// ahead bytes that will be kept.
func (j *Journal) Doubt(ahead int64, cause string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.addGap(Gap{Offset: j.last().end() + ahead, Cause: cause})
}

// Gaps returns those of what is kept, in the order of their offsets.
func (j *Journal) Gaps() []Gap {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []Gap
	for _, gap := range j.gaps {
		all = append(all, gap.summary())
	}
	if j.loss != nil {
		all = append(all, *j.loss)
	}
	return all
}

// summary returns the gap as it is reported, with the gaps that are folded into it.
func (g Gap) summary() Gap {
	if g.Folded > 0 {
		g.Cause += fmt.Sprintf("; with %d gaps before it", g.Folded)
	}
	return g
}

// found ends a loss: something was kept again. The caller holds the lock.
func (j *Journal) found() {
	if j.loss != nil {
		j.addGap(*j.loss)
		j.loss = nil
	}
}

// addGap adds a gap to the list, and to the file. The caller holds the lock.
func (j *Journal) addGap(gap Gap) {
	if !j.gaps.add(gap) || j.closed {
		return
	}
	if j.unsaved {
		_ = j.save() // else the next time
		return
	}
	line, err := json.Marshal(gap)
	if err == nil {
		// A line feed in front, so that a line which a full disk has cut ends there.
		err = writeFile(filepath.Join(j.dir, gapsName), os.O_APPEND, append([]byte("\n"), line...))
	}
	j.lines++
	j.unsaved = err != nil || j.lines > 2*maxGaps
}

// forget removes the gaps that lie before all that is kept. The caller holds the
// lock.
func (j *Journal) forget() {
	oldest := j.segments[0].start
	before := len(j.gaps)
	j.gaps = slices.DeleteFunc(j.gaps, func(gap Gap) bool { return gap.behind() < oldest })
	j.unsaved = j.unsaved || len(j.gaps) < before
}

// save writes the file of gaps again, if it must be. The caller holds the lock.
func (j *Journal) save() error {
	if !j.unsaved || j.closed {
		return nil
	}
	var text []byte
	for _, gap := range j.gaps {
		line, err := json.Marshal(gap)
		if err != nil {
			return err
		}
		text = append(append(text, line...), '\n')
	}
	path := filepath.Join(j.dir, gapsName)
	err := writeFile(path+newSuffix, os.O_TRUNC, text)
	if err == nil {
		err = os.Rename(path+newSuffix, path)
	}
	if err != nil {
		_ = os.Remove(path + ".new")
		return fmt.Errorf("gaps: %w", err)
	}
	j.lines, j.unsaved = len(j.gaps), false
	return nil
}

// readGaps reads the file of gaps. A shortage is an error; if the file cannot be read
// for another reason, it is set aside, and oldest is where that is reported.
func (j *Journal) readGaps(oldest int64) error {
	path := filepath.Join(j.dir, gapsName)
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	switch {
	case err == nil:
		j.gaps = parseGaps(text)
	case errors.Is(err, os.ErrNotExist):
	case noSpace(err), errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM), errors.Is(err, unix.EINTR):
		return err
	default:
		_ = setAside(path) // else it stays
		j.addGap(Gap{Offset: oldest, Cause: fmt.Sprintf("%s, which was set aside: %v", path, err)})
	}
	return nil
}

// maxGapLine is the size of the longest line that is taken for a gap, in bytes.
const maxGapLine = 4096

// parseGaps reads gaps. A line that is none is passed over, and what a terminal might
// obey in a cause is taken out: other programs write files too.
func parseGaps(text []byte) (all gaps) {
	for line := range bytes.Lines(text) {
		var gap Gap
		if len(line) > maxGapLine || json.Unmarshal(line, &gap) != nil {
			continue
		}
		if min(gap.Offset, gap.Bytes, int64(gap.Folded)) < 0 || max(gap.Offset, gap.Bytes) > maxOffset {
			continue
		}
		gap.Cause = printable(gap.Cause)
		all.add(gap)
	}
	return all
}

// gaps are in the order of their offsets.
type gaps []Gap

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

// lossAt returns the first loss from offset on, after those at offset that a reader
// was told; nil if there is none. The caller holds the lock.
func (j *Journal) lossAt(offset int64, told int) *Gap {
	for _, gap := range j.gaps {
		switch {
		case gap.Taken || gap.Offset < offset:
		case gap.Offset == offset && told > 0:
			told--
		default:
			gap = gap.summary()
			return &gap
		}
	}
	return nil
}
