package journal

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// store holds what is kept: the segments, oldest first and at least one, and the records.
// It is guarded by Journal.mu.
type store struct {
	dir       string
	lock      *os.File
	retention Retention
	segments  segments
	readers   readers
	gaps      *gapLog
	boots     *bootLog
}

// last returns the newest segment, which is being written.
func (s *store) last() *segment { return &s.segments[len(s.segments)-1] }

// modeIn returns the permissions of a new file in the folder of a journal. A group that can read
// the folder, as that of a service, can read the file.
func modeIn(dir string) os.FileMode {
	info, err := os.Stat(dir)
	if err == nil && info.Mode().Perm()&0o040 != 0 {
		return 0o640
	}
	return 0o600
}

// create creates the file of a segment. An existing file of that name is set aside.
func (s *store) create(path string) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, modeIn(filepath.Dir(path)))
		switch {
		case err == nil:
			return file, nil
		case errors.Is(err, os.ErrNotExist): // the folder was removed
			err = s.recreate()
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

// recreate recreates the folder and the lock file, and makes the other files be
// rewritten.
func (s *store) recreate() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	lock, err := takeLock(s.dir)
	if err != nil {
		return err
	}
	_ = s.lock.Close() // the file has no name any more
	s.lock = lock
	s.gaps.file.stale, s.boots.file.stale = true, true
	return nil
}

// record records the end of the stream, and a gap that is not in the file of the gaps.
func (s *store) record() {
	r := record{end: s.last().end(), boot: s.last().boot}
	if gap := s.gaps.unsaved(); gap != nil {
		r.gapAt, r.gap = gap.Offset, cmp.Or(gap.Bytes, -1)
	}
	writeRecord(s.lock, r)
}

// save writes records that could not be written before.
func (s *store) save() error {
	return errors.Join(s.gaps.file.save(s.gaps.gaps), s.boots.file.save(s.boots.boots))
}

// close saves pending records and releases the lock. The list of segments remains.
func (s *store) close() error {
	err := errors.Join(s.save(), s.lock.Close())
	s.gaps.file.closed, s.boots.file.closed = true, true
	return err
}

// noSpace reports whether err means that the disk or a quota is full.
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

// drop removes the oldest segment, and reports whether it succeeded. To free the space
// even if a reader has the file open, it truncates the file, unless the file has another
// hard link, by which a user keeps it.
func (s *store) drop() bool {
	path := s.segments[0].path(s.dir)
	file, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == nil {
		defer file.Close()
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false
	}
	_ = os.Remove(path + indexSuffix) // if this fails, sweep removes it
	s.segments = s.segments[1:]
	s.gaps.forget(s.segments[0].start)
	s.boots.forget(s.segments)
	var stat unix.Stat_t
	if err == nil && unix.Fstat(int(file.Fd()), &stat) == nil && stat.Nlink == 0 {
		_ = file.Truncate(0) // if this fails, the space is freed with the last reader
	}
	return true
}

// The causes of gaps with Taken set.
const (
	causeRemoved = "their file was removed"
	causeCut     = "their file was cut by another program"
	causeHole    = "their file was removed or cut while the journal was not open, or power failed"
)

// shorten records that only length bytes of a segment's file exist; -1 means that the
// file does not exist. A segment that becomes empty is removed, unless it is the newest.
// The caller holds both locks of the journal.
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

// removeEmpty removes a segment if it is empty, it is not the newest, and its file can be
// removed.
func (s *store) removeEmpty(at int) {
	here := s.segments[at]
	if here.size > 0 || at == len(s.segments)-1 || setAside(here.path(s.dir)) != nil {
		return
	}
	_ = os.Remove(here.path(s.dir) + indexSuffix) // if this fails, sweep removes it
	s.segments = slices.Delete(s.segments, at, at+1)
	s.boots.forget(s.segments)
}
