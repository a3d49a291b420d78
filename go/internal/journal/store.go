package journal

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// store is what is kept: the segments, oldest first, of which there is one at least, and
// what is known beside the bytes. The journal's lock guards it.
type store struct {
	dir       string
	lock      *os.File
	retention Retention
	segments  segments
	readers   readers
	gaps      *gapLog
	boots     *bootLog
}

// last returns the segment that is written.
func (s *store) last() *segment { return &s.segments[len(s.segments)-1] }

// create makes the file of a segment. A file that has the name is set aside.
func (s *store) create(path string) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
		switch {
		case err == nil:
			return file, nil
		case errors.Is(err, os.ErrNotExist): // the folder was removed
			err = s.remake()
		case errors.Is(err, os.ErrExist):
			err = setAside(path)
		default:
			err = s.retryAfterENOSPC(err)
		}
		if err != nil {
			return nil, err
		}
	}
}

// remake makes the folder again, and the files that were in it.
func (s *store) remake() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	lock, err := takeLock(s.dir)
	if err != nil {
		return err
	}
	_ = s.lock.Close() // of a file without a name
	s.lock = lock
	s.gaps.file.stale, s.boots.file.stale = true, true
	return nil
}

// record records where the stream ends.
func (s *store) record() { writeRecord(s.lock, s.last().end(), s.last().boot) }

// save writes what could not be written before.
func (s *store) save() error {
	return errors.Join(s.gaps.file.save(s.gaps.gaps), s.boots.file.save(s.boots.boots))
}

// close saves what was not saved, and gives up the lock. The segments stay known.
func (s *store) close() error {
	err := errors.Join(s.save(), s.lock.Close())
	s.gaps.file.closed, s.boots.file.closed = true, true
	return err
}

// noSpace reports whether err is that of a disk, or a quota, that is full.
func noSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// retryAfterENOSPC drops the oldest segment if err is ENOSPC or EDQUOT. It returns nil if
// the caller should retry, err otherwise.
func (s *store) retryAfterENOSPC(err error) error {
	if !noSpace(err) || len(s.segments) < 2 || !s.drop() {
		return err
	}
	return nil
}

// drop unlinks the oldest segment, and reports whether that has worked. A reader that
// has it open does not keep its space: it is emptied, unless it has another name too,
// by which a user keeps it.
func (s *store) drop() bool {
	path := s.segments[0].path(s.dir)
	file, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == nil {
		defer file.Close()
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false
	}
	_ = os.Remove(path + indexSuffix) // else sweep will do it
	s.segments = s.segments[1:]
	s.gaps.forget(s.segments[0].start)
	s.boots.forget(s.segments)
	var stat unix.Stat_t
	if err == nil && unix.Fstat(int(file.Fd()), &stat) == nil && stat.Nlink == 0 {
		_ = file.Truncate(0) // else it goes with its last reader
	}
	return true
}

// The causes of a gap whose bytes were kept once.
const (
	causeRemoved = "their file was removed"
	causeCut     = "their file was cut from outside"
	causeHole    = "their file was removed or cut while the journal was not open, or power failed"
)

// shorten notes that only length bytes of a segment's file are there; -1 if there is no
// file. A segment that is empty then is removed, unless it is the newest. The caller holds
// both locks of the journal.
func (s *store) shorten(at int, length int64) {
	here := &s.segments[at]
	cause := causeCut
	if length < 0 {
		length, cause = 0, causeRemoved
	}
	if length < here.size {
		s.gaps.add(Gap{Offset: here.start + length, Bytes: here.size - length, Cause: cause, Taken: true})
		here.size = length
	}
	s.removeEmpty(at)
}

// removeEmpty removes a segment that is empty, unless it is the newest or its file cannot
// be removed.
func (s *store) removeEmpty(at int) {
	here := s.segments[at]
	if here.size > 0 || at == len(s.segments)-1 || setAside(here.path(s.dir)) != nil {
		return
	}
	_ = os.Remove(here.path(s.dir) + indexSuffix) // else sweep will do it
	s.segments = slices.Delete(s.segments, at, at+1)
	s.boots.forget(s.segments)
}
