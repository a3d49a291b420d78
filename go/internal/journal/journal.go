// Package journal keeps one stream of bytes with ever-growing offsets: all
// that one console, or one channel, ever printed.
//
// The stream lies in segment files of at most SegmentBytes; a new one begins
// at each boot. The files are the buffer: a reader is an offset into them, so
// that replay and live are the same code, and a slow reader costs nothing.
//
// Invariants:
//   - The bytes are exactly those that were appended, in their order. The
//     append position is the size of the newest file: a writer that was killed
//     goes on where its files end.
//   - A segment's name says where it begins and of which boot it is, so that
//     nothing but the files is needed to read the stream again.
//   - Beside the bytes lies an index of times, which is optional: without it, or
//     a part of it, the times are unknown and nothing else is.
//   - Retention unlinks whole segments, oldest first, and never the newest, which is
//     bounded too; so does a disk that is full. A reader that has one open does not keep its space.
//   - What cannot be kept, or was taken away from outside, is a gap with its
//     place, size and cause; the stream goes on behind it. A gap is forgotten
//     with the bytes around it, and not before.
//   - A journal is never refused: a file that does not fit into the stream is
//     set aside under another name.
//   - There is one writer, which holds an flock(2).
package journal

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// SegmentBytes is the size at which a segment is full.
const SegmentBytes = 16 << 20

// Journal is a stream, open for its one writer. Readers may be many.
type Journal struct {
	dir       string
	retention Retention
	full      int64 // bytes of a full segment

	writing sync.Mutex // held while bytes move, which readers do not wait for
	file    *os.File   // the newest segment
	lock    *os.File
	index   indexWriter
	marked  time.Time // when the index and the record of the end were written

	mu       sync.Mutex        // taken behind writing, and for a moment only
	segments segments          // the last one is written
	newest   func(path string) // called with the path of each new segment; may be nil
	more     chan struct{}     // closed when the stream grows; nil: no reader waits
	closed   bool
	gaps     gaps
	boots    bootLog
	loss     *Gap // that goes on; nil: none
	lines    int  // in the file of gaps, that this writer has added
	unsaved  bool // the file of gaps has to be written again
}

// Dir is the folder of the journal's files.
func (j *Journal) Dir() string { return j.dir }

// OnSegment calls f with the path of the newest segment: at once with that of the
// present one, and then with that of each that begins. f must not call the journal.
func (j *Journal) OnSegment(f func(path string)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.newest = f
	f(j.last().path(j.dir))
}

// Close gives up the journal. Readers get what is there, and then ErrClosed. The
// error says that gaps could not be saved.
func (j *Journal) Close() error {
	defer j.exclusive()()
	if j.closed {
		return nil
	}
	j.found() // a loss ends with its writer, too
	if left := j.trimmed(); left < j.last().size {
		_ = j.begin(segment{start: j.last().end(), boot: j.last().boot}) // else it is seen when the journal is opened
	}
	j.mark(time.Time{})
	err := errors.Join(j.save(), j.boots.file.save(j.boots.boots))
	j.closed, j.boots.file.closed = true, true
	j.wake()
	return errors.Join(err, j.file.Close(), j.index.close(), j.lock.Close())
}

// exclusive takes both locks; the function that it returns gives them up.
func (j *Journal) exclusive() (release func()) {
	j.writing.Lock()
	j.mu.Lock()
	return func() {
		j.mu.Unlock()
		j.writing.Unlock()
	}
}

// Boot marks the place where a boot begins, and returns its number: 1 for the
// first one, then one more each time. A boot of which nothing was printed is
// one all the same. What comes before the first mark is of boot 0.
func (j *Journal) Boot() (int, error) {
	defer j.exclusive()()
	if j.closed {
		return 0, ErrClosed
	}
	next := segment{start: j.last().end(), boot: j.last().boot + 1}
	if err := j.begin(next); err != nil {
		return 0, err
	}
	j.boots.begin(next.boot)
	j.retain()
	return next.boot, nil
}

// last is the segment that is written. The caller holds the lock.
func (j *Journal) last() *segment { return &j.segments[len(j.segments)-1] }

// begin makes a new segment and writes there from now on; on an error the old one
// stays. What is missing at the end of the old one becomes a gap. The caller holds
// both locks.
func (j *Journal) begin(s segment) error {
	file, err := j.create(s.path(j.dir))
	if err != nil {
		return err
	}
	old, left := j.file, j.trimmed()
	j.file = file
	_ = j.index.close() // nothing depends on it
	j.index = indexWriter{path: s.path(j.dir) + indexSuffix, flags: os.O_TRUNC}
	at := len(j.segments)
	if at > 0 && j.last().start == s.start && j.last().boot == s.boot {
		j.segments = j.segments[:at-1] // its empty file was removed
	}
	j.segments = append(j.segments, s)
	if old != nil {
		_ = old.Close() // there is nothing that could be done
		if at < len(j.segments) {
			j.trim(at-1, left)
		}
	}
	j.mark(time.Time{})
	if j.newest != nil {
		j.newest(s.path(j.dir))
	}
	return nil
}

// grown takes note of n bytes that have been written to the last segment, and
// wakes the readers. The caller holds the lock of the writer.
func (j *Journal) grown(n int) {
	if n == 0 {
		return
	}
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.last()
	offset := last.end()
	last.size += int64(n)
	j.found()
	j.retain()
	j.wake()
	if now.Sub(j.marked) >= markEvery {
		j.index.note(offset, now)
		j.mark(now)
		_ = errors.Join(j.save(), j.boots.file.save(j.boots.boots)) // else the next time
	}
}

// mark records where the stream ends; now is when, or zero to have the next bytes
// marked too.
func (j *Journal) mark(now time.Time) {
	j.marked = now
	writeRecord(j.lock, j.last().end(), j.last().boot)
}

// wake wakes the readers that wait. The caller holds the lock.
func (j *Journal) wake() {
	if j.more != nil {
		close(j.more)
		j.more = nil
	}
}

// place returns where the next bytes go in the last segment, and how many it takes.
// The caller holds the lock of the writer.
func (j *Journal) place() (at int64, room int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return 0, 0, ErrClosed
	}
	last := *j.last()
	switch left := j.trimmed(); {
	case left < last.size: // what comes next has no place there
		if err := j.begin(segment{start: last.end(), boot: last.boot}); err != nil {
			return 0, 0, err
		}
	case last.size >= j.full:
		// If none can be made, the old one grows on, up to what is kept in all.
		if err := j.begin(segment{start: last.end(), boot: last.boot}); err != nil && last.size >= j.retention.Bytes {
			return 0, 0, err
		}
	}
	at = j.last().size
	if at >= j.full { // no new segment could be made
		return at, int(min(spliceAtMost, j.retention.Bytes-at)), nil
	}
	return at, int(j.full - at), nil
}

// trimmed returns how much of the last segment is in its file; -1 if that was removed.
// If it is not known, it is what should be there. What was appended from outside is
// cut off. The caller holds both locks.
func (j *Journal) trimmed() int64 {
	if j.file == nil {
		return 0
	}
	size := j.last().size
	var stat unix.Stat_t
	switch err := unix.Fstat(int(j.file.Fd()), &stat); {
	case err != nil:
		return size
	case stat.Nlink == 0:
		return -1
	case stat.Size > size:
		_ = j.file.Truncate(size) // else it is written over
	}
	return min(size, stat.Size)
}
