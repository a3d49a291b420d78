package journal

import (
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Open opens the journal in dir for writing and goes on where the stream ends. It
// makes the folder if there is none. What does not fit into the stream there is set
// aside. ErrInUse is returned if another process writes the journal. The caller
// calls Close.
func Open(dir string, retention Retention) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	j := &Journal{dir: dir, retention: retention, full: retention.segmentBytes(), lock: lock, boots: newBootLog(dir)}
	if err := j.resume(); err != nil {
		j.lock.Close()
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	_ = j.save() // else later
	return j, nil
}

// resume finds the place where the stream ends, and what is missing before it.
func (j *Journal) resume() error {
	found, unfit, err := list(j.dir)
	if err != nil {
		return err
	}
	end, boot := readRecord(j.lock)
	oldest := end
	if len(found) > 0 {
		oldest = found[0].start
	}
	if err := j.readGaps(oldest); err != nil {
		return err
	}
	if err := j.boots.open(); err != nil {
		return err
	}
	for _, s := range unfit {
		if s.size > 0 { // else it says nothing
			end, boot = max(end, s.end()), max(boot, s.boot)
		}
		_ = setAside(s.path(j.dir)) // else it stays, and is passed over again
	}
	sweep(j.dir, found)
	j.segments = found
	if len(found) == 0 {
		if end > 0 {
			j.addGap(Gap{Offset: end, Cause: "all files of the journal were removed while it was not open"})
		}
		return j.begin(segment{start: end, boot: boot})
	}
	next := found[0].start
	for _, s := range append(slices.Clone(found), segment{start: end}) {
		for _, hole := range j.gaps.uncovered(next, s.start) {
			j.addGap(hole)
		}
		next = max(next, s.end())
	}
	j.forget()
	last := *j.last()
	if last.end() >= end && last.boot >= boot {
		file, err := os.OpenFile(last.path(j.dir), os.O_RDWR|unix.O_NOFOLLOW, 0)
		if err == nil {
			j.file, j.index = file, indexWriter{path: last.path(j.dir) + indexSuffix}
			j.mark(time.Time{})
			return nil
		}
	}
	// The newest file has lost its end, or cannot be written to.
	return j.begin(segment{start: max(end, last.end()), boot: max(boot, last.boot)})
}
