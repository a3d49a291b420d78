package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// noSpace tells whether err is that of a disk, or a quota, that is full.
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

// spared makes room where err tells that there is none, by dropping the oldest
// segment, and is nil where what failed can be tried again. The caller holds the
// lock.
//
// The segment is cut before it is unlinked: a reader that has it open would keep
// its space.
func (j *Journal) spared(err error) error {
	if !noSpace(err) || len(j.segments) < 2 {
		return err
	}
	if os.Truncate(j.segments[0].path(j.dir), 0) != nil || !j.drop() {
		return err
	}
	return nil
}

// replace begins a new segment where somebody has unlinked the newest one, which
// is gone then. The caller holds both locks.
func (j *Journal) replace() error {
	var stat unix.Stat_t
	if err := unix.Fstat(int(j.file.Fd()), &stat); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if stat.Nlink > 0 {
		return nil
	}
	return j.abandon()
}

// abandon begins a new segment behind the newest one, which has gone.
func (j *Journal) abandon() error {
	gone := *j.last()
	if err := j.begin(segment{start: gone.end(), boot: gone.boot}); err != nil {
		return err
	}
	j.segments = append(j.segments[:len(j.segments)-2], *j.last())
	j.tellGap(Gap{Offset: gone.start, Bytes: gone.size, Cause: "somebody has removed " + gone.path(j.dir), Taken: true})
	return nil
}

// missing takes note that the file of a segment, which may have been dropped
// since, is not there, or not whole. The caller holds no lock.
func (j *Journal) missing(s segment) error {
	defer j.exclusive()()
	for i, here := range j.segments {
		switch {
		case here.start != s.start || here.boot != s.boot:
			continue
		case i == len(j.segments)-1:
			return j.abandon()
		}
		j.segments = append(j.segments[:i:i], j.segments[i+1:]...)
		j.tellGap(Gap{Offset: s.start, Bytes: s.size, Cause: "somebody has removed " + s.path(j.dir), Taken: true})
	}
	return nil
}
