// Package journal stores one stream of bytes with ever-growing offsets: everything that
// one console or one channel has ever printed.
//
// The stream is stored in segment files of at most SegmentBytes. A new one begins at each
// boot. The files are the only buffer: a reader is an offset into them, so replay and
// live output are the same code, and a slow reader costs nothing.
//
// Invariants:
//   - The bytes are exactly those that were appended, in order. The append position is
//     the size of the newest file: after a writer was killed, the next one continues
//     where its files end.
//   - The name of a segment contains its offset and its boot, so the stream can be read
//     from the files alone.
//   - The index of times and the records of boots are optional: if they or parts of them
//     are lost, only times and exit causes are unknown.
//   - Retention removes whole segments, the oldest first, but never the newest, whose size
//     is limited too. Bytes that open readers still have to read are kept longer, up to
//     four times as much. If the disk is full, segments are removed even if readers need
//     them. An open file of a reader does not keep the disk space in use.
//   - Bytes that cannot be kept, or that another program removes, leave a gap with place,
//     size and cause; the stream continues after it. The record of a gap is kept as long
//     as the bytes around it.
//   - Damage never prevents opening: a file that does not fit into the stream is set
//     aside under another name.
//   - There is one writer. It holds an flock(2).
package journal

import (
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// SegmentBytes is the size at which a segment is full, if Retention.Bytes allows.
const SegmentBytes = 16 << 20

// ErrClosed is returned once the journal is closed.
var ErrClosed = errors.New("journal: closed")

// Journal is a stream, open for its one writer and for any number of readers.
type Journal struct {
	full   int64       // size of a full segment, in bytes
	copies atomic.Bool // the file system does not support splice(2)

	writing sync.Mutex // held while bytes are moved; readers do not wait for it
	head    *head      // files of the newest segment

	mu        sync.Mutex // locked after writing, and only briefly
	store     *store
	onSegment func(path string) // called with the path of each new segment; may be nil
	growth    signal
	closed    bool
}

// signal wakes goroutines.
type signal struct{ sent chan struct{} } // nil if none waits

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

// OnSegment calls f with the path of the newest segment: immediately for the current one,
// and later for each new one. f must not call the journal.
func (j *Journal) OnSegment(f func(path string)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.onSegment = f
	f(j.store.last().path(j.store.dir))
}

// Range returns the kept part of the stream: the offset of the oldest byte, and the
// offset just after the newest.
func (j *Journal) Range() (oldest, end int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.segments[0].start, j.store.last().end()
}

// Close closes the journal. Readers can read the rest, and then get ErrClosed. Close
// returns an error if records of gaps or boots could not be saved.
func (j *Journal) Close() error {
	defer j.exclusive()()
	if j.closed {
		return nil
	}
	last := *j.store.last()
	j.store.gaps.endLoss()
	if j.head.length(last.size) < last.size {
		_ = j.begin(segment{start: last.end(), boot: last.boot}) // if this fails, the next Open notices it
	}
	j.store.record()
	j.closed = true
	j.growth.send()
	return errors.Join(j.store.close(), j.head.close())
}

// exclusive takes both locks. The returned function releases them.
func (j *Journal) exclusive() (release func()) {
	j.writing.Lock()
	j.mu.Lock()
	return func() {
		j.mu.Unlock()
		j.writing.Unlock()
	}
}

// begin creates a new segment, which becomes the one to write to. On error the old one
// stays. Bytes missing at the end of the old segment become a gap, and an empty old
// segment is removed. The caller holds both locks.
func (j *Journal) begin(s segment) error {
	file, err := j.store.create(s.path(j.store.dir))
	if err != nil {
		return err
	}
	at := len(j.store.segments) - 1              // index of the old segment; -1 if none
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
		_ = j.head.close() // everything written is in the file
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

// place returns the offset in the newest segment's file where the next bytes go, and how
// many fit there. The caller holds j.writing.
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
	case j.head.length(last.size) < last.size: // the file was cut: continue in another one
		if err := j.begin(next); err != nil {
			return 0, 0, err
		}
	case last.size >= j.full:
		// If no new segment can be created, the old one grows, up to the whole retention.
		if err := j.begin(next); err != nil && last.size >= most {
			return 0, 0, err
		}
	}
	at = j.store.last().size
	if at >= j.full { // no new segment could be created
		return at, int(min(maxSpliceBytes, most-at)), nil
	}
	return at, int(j.full - at), nil
}

// grown records that n bytes were written to the newest segment, and wakes the readers.
// The caller holds j.writing.
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
		_ = j.store.save() // if this fails, the next call tries again
	}
}

// retry returns nil if the operation that failed with err should be retried; see
// store.retryAfterENOSPC. The caller holds j.writing.
func (j *Journal) retry(err error) error {
	if err == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.retryAfterENOSPC(err)
}

// missing records what is missing from the file of a segment, which may have been dropped
// meanwhile. The caller holds no lock.
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
