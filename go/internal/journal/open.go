package journal

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Open opens the journal in dir for writing, at the end of the stream. It creates the
// folder if it does not exist. Files that do not fit into the stream are set aside. Open
// returns ErrInUse if another process has the journal open for writing. The caller must
// call Close.
func Open(dir string, retention Retention) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	j := &Journal{full: retention.segmentBytes(), store: &store{
		dir: dir, lock: lock, retention: retention, readers: readers{}, gaps: newGapLog(dir), boots: newBootLog(dir),
	}}
	if err := j.resume(); err != nil {
		j.store.lock.Close()
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	_ = j.store.save() // if this fails, a later call tries again
	return j, nil
}

// resume finds the end of the stream, and the gaps before it.
func (j *Journal) resume() error {
	found, unfit, err := list(j.store.dir)
	if err != nil {
		return err
	}
	recorded := readRecord(j.store.lock)
	end, boot := recorded.end, recorded.boot
	oldest := end
	if len(found) > 0 {
		oldest = found[0].start
	}
	if err := j.store.gaps.open(oldest); err != nil {
		return err
	}
	j.store.gaps.addRecorded(recorded)
	if err := j.store.boots.open(); err != nil {
		return err
	}
	for _, s := range unfit {
		if s.size > 0 { // an empty one says nothing about the stream
			end, boot = max(end, s.end()), max(boot, s.boot)
		}
		_ = setAside(s.path(j.store.dir)) // if this fails, it stays and is ignored again
	}
	sweep(j.store.dir, found)
	j.store.segments = found
	if len(found) == 0 {
		if end > 0 {
			j.store.gaps.add(Gap{Offset: end, Cause: "all files of the journal were removed while it was not open"})
		}
		return j.begin(segment{start: end, boot: boot})
	}
	j.store.noteHoles(end)
	last := *j.store.last()
	if last.end() >= end && last.boot >= boot {
		file, err := os.OpenFile(last.path(j.store.dir), os.O_RDWR|unix.O_NOFOLLOW, 0)
		if err == nil {
			j.head = &head{file: file, index: indexWriter{path: last.path(j.store.dir) + indexSuffix}}
			j.store.record()
			return nil
		}
	}
	// The newest file was cut, or cannot be written.
	return j.begin(segment{start: max(end, last.end()), boot: max(boot, last.boot)})
}

// noteHoles records what is missing from a stream that ends at end. It removes records of
// what is no longer kept, and empty segments.
func (s *store) noteHoles(end int64) {
	next := s.segments[0].start
	for _, here := range append(slices.Clone(s.segments), segment{start: end}) {
		for _, hole := range s.gaps.gaps.uncovered(next, here.start) {
			s.gaps.add(hole)
		}
		next = max(next, here.end())
	}
	for at := range slices.Backward(s.segments) {
		s.removeEmpty(at)
	}
	s.gaps.forget(s.segments[0].start)
	s.boots.forget(s.segments)
}
