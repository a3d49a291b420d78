package journal

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// noSpace reports whether err is that of a disk, or a quota, that is full.
func noSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// makeRoom is spared for one who writes and does not hold the lock.
func (j *Journal) makeRoom(err error) error {
	if err == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.spared(err)
}

// spared drops the oldest segment if err is that of a full disk, and returns nil if
// what failed can be tried again. The caller holds the lock.
func (j *Journal) spared(err error) error {
	if !noSpace(err) || len(j.segments) < 2 || !j.drop() {
		return err
	}
	return nil
}

// The causes of a gap whose bytes were kept once.
const (
	causeRemoved = "somebody has removed their file"
	causeCut     = "their file was cut from outside"
	causeHole    = "their file was removed or cut while the journal was not open, or power failed"
)

// trim takes note that only left bytes of a segment's file are there; less than 0:
// the file is not. A segment of which nothing is left is removed, if it can be and is
// not the last one. The caller holds both locks.
func (j *Journal) trim(at int, left int64) {
	s := &j.segments[at]
	cause := causeCut
	if left < 0 {
		left, cause = 0, causeRemoved
	}
	if left >= s.size {
		return
	}
	j.addGap(Gap{Offset: s.start + left, Bytes: s.size - left, Cause: cause, Taken: true})
	s.size = left
	if left > 0 || at == len(j.segments)-1 || setAside(s.path(j.dir)) != nil {
		return
	}
	_ = os.Remove(s.path(j.dir) + indexSuffix) // else sweep will do it
	j.segments = slices.Delete(j.segments, at, at+1)
}

// missing takes note that the file of a segment, which may have been dropped
// since, is not there, or not whole. The caller holds no lock.
func (j *Journal) missing(s segment) error {
	defer j.exclusive()()
	at := slices.IndexFunc(j.segments, func(here segment) bool { return here.start == s.start && here.boot == s.boot })
	if at < 0 {
		return nil
	}
	s = j.segments[at]
	left := int64(-1)
	switch info, err := os.Lstat(s.path(j.dir)); {
	case err == nil:
		left = info.Size()
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	switch {
	case left >= s.size || at < len(j.segments)-1:
	case j.closed: // nothing is written any more, but a reader must find the end
		j.segments = append(j.segments, segment{start: s.end(), boot: s.boot})
	default:
		return j.begin(segment{start: s.end(), boot: s.boot})
	}
	j.trim(at, left)
	return nil
}
