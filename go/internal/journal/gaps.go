package journal

import (
	"bufio"
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

// maxGaps bounds how many gaps are told one by one.
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
	gap := Gap{Offset: j.last().end() + ahead, Cause: cause}
	if !slices.Contains(j.gaps, gap) {
		j.tellGap(gap)
	}
}

// Gaps are those of what is kept, in the order in which they came.
func (j *Journal) Gaps() []Gap {
	j.mu.Lock()
	defer j.mu.Unlock()
	var gaps []Gap
	for _, gap := range j.gaps {
		if gap.behind() >= j.segments[0].start {
			gaps = append(gaps, gap)
		}
	}
	if j.loss != nil {
		gaps = append(gaps, *j.loss)
	}
	return gaps
}

// found ends a loss: something was kept again. The caller holds the lock.
func (j *Journal) found() {
	if j.loss != nil {
		j.tellGap(*j.loss)
		j.loss = nil
	}
}

// tellGap adds a gap to the list, and to the file if it can. The caller holds
// the lock.
func (j *Journal) tellGap(gap Gap) {
	if len(j.gaps) == maxGaps {
		j.gaps[maxGaps-1].Bytes += gap.Bytes // from here on, they are only counted
		return
	}
	j.gaps = append(j.gaps, gap)
	line, err := json.Marshal(gap)
	if err != nil {
		return
	}
	file, err := os.OpenFile(filepath.Join(j.dir, gapsName), os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return
	}
	defer file.Close()
	// In front, so that a line which a full disk has cut ends there.
	_, _ = file.Write(append([]byte("\n"), line...))
}

// readGaps reads the file of gaps. A line that is none is passed over.
func readGaps(dir string) ([]Gap, error) {
	text, err := os.ReadFile(filepath.Join(dir, gapsName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var gaps []Gap
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan() && len(gaps) < maxGaps; {
		var gap Gap
		if json.Unmarshal(lines.Bytes(), &gap) == nil {
			gaps = append(gaps, gap)
		}
	}
	return gaps, nil
}

// lossAt is the first loss from offset on that a reader has not been told, who
// was told those before index told. nil: there is none. The caller holds the
// lock.
func (j *Journal) lossAt(offset int64, told int) (*Gap, int) {
	for i := told; i < len(j.gaps); i++ {
		if gap := j.gaps[i]; gap.Offset >= offset && !gap.Taken {
			return &gap, i
		}
	}
	return nil, len(j.gaps)
}
