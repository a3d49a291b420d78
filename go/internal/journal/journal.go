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
//   - Beside the bytes lie an index of times and records of boots, which are optional:
//     without them, or a part of them, the times are unknown and nothing else is.
//   - Retention unlinks whole segments, oldest first, and never the newest, which is
//     bounded too. What open readers still have to read is kept longer, up to four
//     times as much. A full disk unlinks without regard to readers. A reader that has
//     a segment open does not keep its space.
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
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// SegmentBytes is the size at which a segment is full.
const SegmentBytes = 16 << 20

// ErrClosed is returned once the journal is closed.
var ErrClosed = errors.New("journal: closed")

// Journal is a stream, open for its one writer. Readers may be many.
type Journal struct {
	full   int64       // size of a full segment, in bytes
	copies atomic.Bool // the file system has no splice(2)

	writing sync.Mutex // held while bytes move, which readers do not wait for
	head    *head      // of the newest segment

	mu        sync.Mutex // taken after writing, and for a moment only
	store     *store
	onSegment func(path string) // called with the path of each new segment; may be nil
	growth    signal
	closed    bool
}

// signal wakes those that wait for it.
type signal struct{ sent chan struct{} } // nil: none waits

// wait returns a channel that send closes.
func (s *signal) wait() <-chan struct{} {
	if s.sent == nil {
		s.sent = make(chan struct{})
	}
	return s.sent
}

func (s *signal) send() {
	if s.sent != nil {
		close(s.sent)
		s.sent = nil
	}
}

// Dir returns the folder of the journal's files.
func (j *Journal) Dir() string { return j.store.dir }

// OnSegment calls f with the path of the newest segment: at once with that of the
// present one, and then with that of each that begins. f must not call the journal.
func (j *Journal) OnSegment(f func(path string)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.onSegment = f
	f(j.store.last().path(j.store.dir))
}

// Range returns which part of the stream is kept: the offsets of its oldest byte and
// behind its newest one.
func (j *Journal) Range() (oldest, end int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.segments[0].start, j.store.last().end()
}

// Close closes the journal. Readers get what is there, and then ErrClosed. The error
// says that gaps, or boots, could not be saved.
func (j *Journal) Close() error {
	defer j.exclusive()()
	if j.closed {
		return nil
	}
	last := *j.store.last()
	j.store.gaps.endLoss()
	if j.head.length(last.size) < last.size {
		_ = j.begin(segment{start: last.end(), boot: last.boot}) // else Open notices it
	}
	j.store.record()
	j.closed = true
	j.growth.send()
	return errors.Join(j.store.close(), j.head.close())
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

// begin makes a new segment and writes there from now on; on an error the old one
// stays. What is missing at the end of the old one becomes a gap, and one that is empty is
// removed. The caller holds both locks.
func (j *Journal) begin(s segment) error {
	file, err := j.store.create(s.path(j.store.dir))
	if err != nil {
		return err
	}
	at := len(j.store.segments) - 1              // of the old one; -1: none
	if at >= 0 && s.same(j.store.segments[at]) { // it was empty, and create has removed its file
		j.store.segments = j.store.segments[:at]
		at = -1
	}
	length := int64(-1)
	if at >= 0 {
		length = j.store.segments[at].size
		if j.head != nil {
			length = j.head.length(length)
		}
	}
	if j.head != nil {
		_ = j.head.close() // all that was written is in the file
	}
	j.head = &head{file: file, index: indexWriter{path: s.path(j.store.dir) + indexSuffix, flags: os.O_TRUNC}}
	j.store.segments = append(j.store.segments, s)
	if at >= 0 {
		j.store.shorten(at, length)
	}
	j.store.record()
	if j.onSegment != nil {
		j.onSegment(s.path(j.store.dir))
	}
	return nil
}

// place returns where the next bytes go in the newest segment, and how many it takes.
// The caller holds the lock of the writer.
func (j *Journal) place() (at int64, room int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return 0, 0, ErrClosed
	}
	last := *j.store.last()
	next := segment{start: last.end(), boot: last.boot}
	most := j.store.retention.Bytes
	switch {
	case j.head.length(last.size) < last.size: // what comes next has no place there
		if err := j.begin(next); err != nil {
			return 0, 0, err
		}
	case last.size >= j.full:
		// If none can be made, the old one grows on, up to what is kept in all.
		if err := j.begin(next); err != nil && last.size >= most {
			return 0, 0, err
		}
	}
	at = j.store.last().size
	if at >= j.full { // no new segment could be made
		return at, int(min(spliceAtMost, most-at)), nil
	}
	return at, int(j.full - at), nil
}

// grown notes that n bytes have been written to the newest segment, and wakes the
// readers. The caller holds the lock of the writer.
func (j *Journal) grown(n int) {
	if n == 0 {
		return
	}
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.store.last()
	offset := last.end()
	marks := now.Sub(j.head.marked) >= markEvery
	if marks {
		j.store.readers.sample(offset, now)
	}
	last.size += int64(n)
	j.store.gaps.endLoss()
	j.store.retain(now)
	j.growth.send()
	if marks {
		j.head.index.note(offset, now)
		j.head.marked = now
		j.store.record()
		_ = j.store.save() // else the next time
	}
}

// retry returns nil if what failed with err can be tried again; see
// store.retryAfterENOSPC. The caller holds the lock of the writer.
func (j *Journal) retry(err error) error {
	if err == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.retryAfterENOSPC(err)
}

// missing notes what is missing of the file of a segment, which may have been dropped
// since. The caller holds no lock.
func (j *Journal) missing(s segment) error {
	defer j.exclusive()()
	at := slices.IndexFunc(j.store.segments, s.same)
	if at < 0 {
		return nil
	}
	s = j.store.segments[at]
	length := int64(-1)
	switch info, err := os.Lstat(s.path(j.store.dir)); {
	case err == nil:
		length = info.Size()
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	next := segment{start: s.end(), boot: s.boot}
	switch {
	case length >= s.size || at < len(j.store.segments)-1:
	case j.closed: // nothing is written any more, but a reader must find the end
		j.store.segments = append(j.store.segments, next)
	default:
		return j.begin(next)
	}
	j.store.shorten(at, length)
	return nil
}
