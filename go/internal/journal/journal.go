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
//   - Beside the bytes lies an index of times; a lost part of it loses no byte.
//   - Retention unlinks whole segments, oldest first, and never the newest; so
//     does a disk that is full.
//   - What cannot be kept, or was taken away from outside, is a gap with its
//     place, size and cause; the stream goes on behind it.
//   - There is one writer, who holds an flock(2).
package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// SegmentBytes is the size at which a segment is full.
const SegmentBytes = 16 << 20

// Retention is how much of the stream is kept. Whole segments go, oldest
// first, while one of the two is exceeded.
type Retention struct {
	Bytes int64 // of all segments
	Boots int   // the newest included
}

// DefaultRetention is what is kept unless told otherwise.
var DefaultRetention = Retention{Bytes: 64 << 20, Boots: 10}

// ErrInUse tells that another process writes the journal.
var ErrInUse = errors.New("journal: another process writes it")

// Journal is a stream, open for its one writer. Readers may be many.
type Journal struct {
	dir       string
	retention Retention
	lock      *os.File

	writing sync.Mutex // held while bytes move, which readers do not wait for
	file    *os.File   // the last segment
	index   *indexWriter

	mu       sync.Mutex        // taken behind writing, and for a moment only
	segments segments          // the last one is written
	newest   func(path string) // nil, or told of each new segment
	more     chan struct{}     // closed when the stream grows; nil: nobody waits for that
	closed   bool
	gaps     []Gap
	loss     *Gap // that goes on; nil: none
}

// Open opens the journal in dir for writing, making the folder where there is
// none, and goes on where the stream ends. It is ErrInUse where
// another process writes it. The caller calls Close.
func Open(dir string, retention Retention) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	j := &Journal{dir: dir, retention: retention, lock: lock}
	if err := j.resume(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	return j, nil
}

// resume takes the lock and finds the place where the stream ends.
func (j *Journal) resume() error {
	if err := unix.Flock(int(j.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return inUse(j.lock)
		}
		return fmt.Errorf("lock: %w", err)
	}
	var err error
	if j.segments, err = list(j.dir); err != nil {
		return err
	}
	if j.gaps, err = readGaps(j.dir); err != nil {
		return err
	}
	if len(j.segments) == 0 {
		return j.begin(segment{})
	}
	return j.write(*j.last(), 0)
}

// Dir is the folder of the journal's files.
func (j *Journal) Dir() string { return j.dir }

// OnSegment has f told the path of the newest segment: of the one that is, at
// once, and then of each that begins. f must not call the journal.
func (j *Journal) OnSegment(f func(path string)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.newest = f
	f(j.last().path(j.dir))
}

// Close gives up the journal. Readers get what is there, and then ErrClosed.
func (j *Journal) Close() error {
	defer j.exclusive()()
	if j.closed {
		return nil
	}
	j.found() // a loss ends with its writer, too
	j.closed = true
	j.wake()
	return errors.Join(j.file.Close(), j.index.close(), j.lock.Close())
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
	last := j.last()
	next := segment{start: last.end(), boot: last.boot + 1}
	if err := j.begin(next); err != nil {
		return 0, err
	}
	j.retain()
	return next.boot, nil
}

// last is the segment that is written. The caller holds the lock.
func (j *Journal) last() *segment { return &j.segments[len(j.segments)-1] }

// begin makes a new segment and writes there from now on. The caller holds both
// locks.
func (j *Journal) begin(s segment) error {
	for {
		err := j.write(s, os.O_CREATE|os.O_EXCL)
		if err == nil {
			break
		}
		if errors.Is(err, os.ErrNotExist) { // somebody has cleaned up
			err = os.MkdirAll(j.dir, 0o700)
		}
		if err = j.spared(err); err != nil {
			return err
		}
	}
	j.segments = append(j.segments, s)
	if j.newest != nil {
		j.newest(s.path(j.dir))
	}
	return nil
}

// write opens a segment and its index for writing.
func (j *Journal) write(s segment, flags int) error {
	file, err := os.OpenFile(s.path(j.dir), os.O_RDWR|unix.O_NOFOLLOW|flags, 0o600)
	if err != nil {
		return err
	}
	index, err := openIndex(s.path(j.dir) + indexSuffix)
	if err != nil {
		file.Close()
		return err
	}
	if j.file != nil {
		err = errors.Join(j.file.Close(), j.index.close())
	}
	j.file, j.index = file, index
	return err
}

// grown takes note of n bytes that have been written to the last segment, and
// wakes the readers. The caller is the one who writes.
func (j *Journal) grown(n int) error {
	if n == 0 {
		return nil
	}
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.last()
	offset := last.end()
	last.size += int64(n)
	j.found()
	j.wake()
	if !j.index.due(now) {
		return nil
	}
	j.index.note(offset, now)
	return j.replace()
}

// wake wakes the readers that wait. The caller holds the lock.
func (j *Journal) wake() {
	if j.more != nil {
		close(j.more)
		j.more = nil
	}
}

// place is where the next bytes go in the last segment, which is not full, and
// how many it still takes. The caller is the one who writes.
func (j *Journal) place() (at int64, room int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return 0, 0, ErrClosed
	}
	last := j.last()
	if last.size >= SegmentBytes {
		if err := j.begin(segment{start: last.end(), boot: last.boot}); err != nil {
			return 0, 0, err
		}
		j.retain()
	}
	at = j.last().size
	return at, int(SegmentBytes - at), nil
}

// retain unlinks the segments that are too many. A segment that cannot be
// unlinked stays, and is tried again at the next one. The caller holds the lock.
func (j *Journal) retain() {
	newest := j.last()
	for len(j.segments) > 1 {
		oldest := j.segments[0]
		kept := newest.end() - oldest.start
		if kept <= j.retention.Bytes && newest.boot-oldest.boot < j.retention.Boots {
			return
		}
		if !j.drop() {
			return
		}
	}
}

// drop unlinks the oldest segment, if it can.
func (j *Journal) drop() bool {
	path := j.segments[0].path(j.dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false
	}
	os.Remove(path + indexSuffix)
	j.segments = j.segments[1:]
	return true
}
