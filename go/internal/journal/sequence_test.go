package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"microvm-console/internal/testsupport/numbered"
)

// sequence is a journal to which anything is done, and what it must hold: the numbered
// stream, of which each byte is kept in its place, or missing for a known reason.
type sequence struct {
	dir     string
	failing bool   // system calls fail: what fails is tried again, or counted as lost
	stream  []byte // what is printed
	printed int    // how much of it has been

	j    *Journal
	live *Reader // one that reads now and then

	kept     []byte          // the bytes by their offsets: the end of the stream is its length
	lost     map[int64]int64 // bytes that could not be kept, by offset
	damaged  []span          // taken away from outside
	pipe     [2]int
	boots    int    // the number of the newest boot
	restore  func() // takes back what was appended to a file
	wrong    error
	attempts int // of what fails
}

// span is a part of the stream, from one offset to another one.
type span struct{ from, to int64 }

// The retention of a sequence, and the size of its segments, in bytes.
const (
	sequenceBytes   = 4096
	sequenceBoots   = 6
	sequenceSegment = 512
)

func newSequence(dir string, failing bool) (*sequence, error) {
	s := &sequence{dir: filepath.Join(dir, "journal"), failing: failing, lost: map[int64]int64{}, restore: func() {}}
	for n := 0; len(s.stream) < 1<<20; n++ {
		s.stream = numbered.Append(s.stream, n)
	}
	if err := unix.Pipe2(s.pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	s.open()
	return s, s.wrong
}

func (s *sequence) fail(format string, args ...any) {
	if s.wrong == nil {
		s.wrong = fmt.Errorf(format, args...)
	}
}

// again reports whether what has failed with err is to be tried again.
func (s *sequence) again(err error) bool {
	if err == nil || s.wrong != nil {
		return false
	}
	s.attempts++
	if !s.failing || s.attempts > 10_000 {
		s.fail("%w", err)
		return false
	}
	return true
}

func (s *sequence) open() {
	for {
		j, err := Open(s.dir, Retention{Bytes: sequenceBytes, Boots: sequenceBoots})
		if s.again(err) {
			continue
		}
		if err != nil {
			return
		}
		s.j = j
		s.j.full = sequenceSegment
		break
	}
	if s.live != nil {
		s.live.Close()
	}
	s.live = s.j.NewReader(int64(len(s.kept)))
	for _, gap := range s.j.Gaps() {
		if s.failing && strings.Contains(gap.Cause, "set aside") { // what is in none is told by that
			clear(s.lost)
		}
	}
	if boot := s.j.BootNumber(); boot != s.boots {
		s.fail("opened again at boot %d, not %d", boot, s.boots)
	}
	if _, end := s.j.Range(); end != int64(len(s.kept)) {
		s.fail("opened again, the stream ends at %d, not %d", end, len(s.kept))
	}
}

// close closes the journal, or has its process be killed, once that has seen what was
// appended to the newest file: later, it could not be told from what was printed. If it cannot save its gaps, it says so, and they need not
// be known any more. If it is killed, a loss that went on is not known either.
func (s *sequence) close(kill bool) {
	if kill {
		s.print(1, false)
	}
	saved := !s.j.unsaved
	if kill {
		if s.j.loss != nil {
			s.lost[s.j.loss.Offset] -= s.j.loss.Bytes
		}
		s.j.file.Close()
		s.j.index.close()
		s.j.lock.Close()
	} else if err := s.j.Close(); err != nil {
		saved = false
		if !s.failing {
			s.fail("close: %w", err)
		}
	} else {
		saved = true
	}
	if !saved {
		clear(s.lost)
	}
}

// print appends the next n bytes of the stream, by splice(2), or through memory.
func (s *sequence) print(n int, splice bool) {
	data := s.stream[s.printed:min(len(s.stream), s.printed+n)]
	s.printed += len(data)
	if !splice {
		s.write(data)
		return
	}
	for sent := 0; sent < len(data); {
		n, err := unix.Write(s.pipe[1], data[sent:])
		if err != nil && !s.again(err) {
			return
		}
		sent += max(0, n)
	}
	for at := 0; at < len(data) && s.wrong == nil; {
		n, err := s.j.Splice(s.pipe[0], nil)
		if err == nil {
			s.keep(data[at : at+n])
			at += n
			continue
		}
		// As the relay does it.
		part := make([]byte, 64<<10)
		if n, err = unix.Read(s.pipe[0], part); err != nil {
			s.again(err)
			continue
		}
		s.write(data[at : at+n])
		at += n
	}
}

func (s *sequence) write(data []byte) {
	n, err := s.j.Write(data)
	s.keep(data[:n])
	if err != nil {
		if !s.failing {
			s.fail("write: %w", err)
		}
		s.j.Lose(int64(len(data)-n), err)
		s.lost[int64(len(s.kept))] += int64(len(data) - n)
	}
}

func (s *sequence) keep(data []byte) { s.kept = append(s.kept, data...) }

// damage does to the files what another program might, while the journal is open, or
// closed. how and at choose what.
func (s *sequence) damage(how, at int, open bool) {
	s.restore()
	s.restore = func() {}
	all, _, err := list(s.dir)
	if err != nil || len(all) == 0 {
		if !errors.Is(err, os.ErrNotExist) {
			s.again(err)
		}
		return
	}
	here := all[at%len(all)]
	path := here.path(s.dir)
	left := here.size / 2
	switch how % 6 {
	case 0:
		err, left = os.Truncate(path, 0), 0
	case 1:
		err = os.Truncate(path, left)
	case 2:
		err, left = os.Remove(path), 0
	case 3:
		err, left = os.Remove(path+indexSuffix), here.size
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	case 4:
		left = here.size
		// Only where the next file, which is not empty, says how long this one was, and
		// as long as it is there; or where the journal does.
		newest := at%len(all) == len(all)-1
		written := open && here.start == s.j.last().start && here.boot == s.j.last().boot
		if written && !s.failing || !newest && s.bounded(here, all[at%len(all)+1], open) {
			err = writeFile(path, os.O_APPEND, []byte("what another program writes"))
		}
		if !newest {
			s.restore = func() { _ = os.Truncate(path, here.size) } // it may have been dropped
		}
	case 5:
		if !open { // it is another journal then
			return
		}
		err, left = os.RemoveAll(s.dir), here.size        // a part, if it fails
		for missing := true; missing && s.wrong == nil; { // nothing else knows of the stream then
			s.print(1, false)
			_, err := os.Lstat(s.j.last().path(s.dir))
			missing = s.failing && s.again(err)
		}
		s.damaged = append(s.damaged, span{0, int64(len(s.kept))})
	}
	if err == nil && (left < here.size || how%6 == 2) { // an empty one marks a boot
		s.damaged = append(s.damaged, span{here.start + left, here.end()})
	}
}

// bounded reports whether the next file says how long a file was. What was appended to
// the newest one from outside says nothing: the journal cuts it off.
func (s *sequence) bounded(here, next segment, open bool) bool {
	if last := *s.j.last(); open && next.start == last.start && next.boot == last.boot {
		next = last
	}
	return here.end() == next.start && next.size > 0
}

// told is what a reader was told while it read.
type told struct {
	missing []span
	losses  map[int64]int64
	text    []byte
}

// read reads at most limit bytes, and checks them.
func (s *sequence) read(r *Reader, limit int) told {
	ended, end := context.WithCancel(context.Background())
	end() // there is nothing to wait for
	got := told{losses: map[int64]int64{}}
	data := make([]byte, 200)
	for len(got.text) < limit && s.wrong == nil {
		at := r.Offset()
		n, err := r.Read(ended, data)
		if at+int64(n) > int64(len(s.kept)) || !bytes.Equal(data[:n], s.kept[at:at+int64(n)]) {
			s.fail("at offset %d: read %q, not what was printed there", at, data[:n])
			break
		}
		got.text = append(got.text, data[:n]...)
		var gap *GapError
		var loss *LossError
		switch {
		case errors.Is(err, context.Canceled):
			return got
		case errors.As(err, &gap):
			if gap.From != at || gap.To <= gap.From || gap.To != r.Offset() || gap.To > int64(len(s.kept)) {
				s.fail("at offset %d: %v, and goes on at %d", at, err, r.Offset())
			}
			got.missing = append(got.missing, span{gap.From, gap.To})
		case errors.As(err, &loss):
			if loss.Gap.Offset != at {
				s.fail("at offset %d: %v", at, err)
			}
			got.losses[at] += loss.Gap.Bytes
		case err != nil && !s.again(err):
			return got
		}
	}
	return got
}

// check reads all there is, and compares that, and what is told of the rest, with what
// must be there.
func (s *sequence) check() {
	if _, end := s.j.Range(); end != int64(len(s.kept)) {
		s.fail("the stream ends at %d, not %d", end, len(s.kept))
		return
	}
	reader := s.j.NewReader(0)
	defer reader.Close()
	got := s.read(reader, 1<<30)
	oldest, _ := s.j.Range()
	gaps := s.j.Gaps()
	if reader.Offset() != int64(len(s.kept)) {
		s.fail("a reader comes to %d of %d", reader.Offset(), len(s.kept))
	}
	for _, part := range got.missing {
		s.checkMissing(span{max(part.from, oldest), part.to}, gaps)
	}
	inHole := func(offset int64) bool {
		return offset < oldest || slices.ContainsFunc(got.missing, func(m span) bool { return m.from < offset && offset < m.to })
	}
	listed := map[int64]int64{}
	for _, gap := range gaps {
		if !gap.Taken {
			listed[gap.Offset] += gap.Bytes
		}
	}
	for offset, bytes := range s.lost {
		ongoing := s.j.loss != nil && s.j.loss.Offset == offset
		if offset >= oldest && listed[offset] != bytes || !inHole(offset) && !ongoing && got.losses[offset] != bytes {
			s.fail("%d bytes were lost at %d: listed %d, told %d", bytes, offset, listed[offset], got.losses[offset])
		}
	}
	s.checkDisk()
	s.checkSnapshot(got)
}

// checkMissing wants bytes that are missing among those that are kept to be in a gap, and
// to have been taken away.
func (s *sequence) checkMissing(part span, list gaps) {
	if part.from >= part.to {
		return
	}
	if rest := list.uncovered(part.from, part.to); len(rest) > 0 {
		s.fail("what is missing from %d to %d is in no gap: %+v", part.from, part.to, list)
	}
	for at := part.from; at < part.to; at++ {
		if !slices.ContainsFunc(s.damaged, func(d span) bool { return d.from <= at && at < d.to }) {
			s.fail("the byte at %d is missing, and was not taken away", at)
			return
		}
	}
}

// checkDisk wants retention to be a bound, and no more to have gone than must.
func (s *sequence) checkDisk() {
	oldest, end := s.j.Range()
	boot := s.j.segments[0].boot
	switch {
	case s.failing:
	case end-oldest > sequenceBytes || s.boots-boot >= sequenceBoots:
		s.fail("from %d to %d is too much, or from boot %d to %d", oldest, end, boot, s.boots)
	case oldest > 0 && end-oldest < sequenceBytes-sequenceSegment && s.boots-boot < sequenceBoots-1 && len(s.damaged) == 0:
		s.fail("from %d to %d is too little, and from boot %d to %d", oldest, end, boot, s.boots)
	}
}

// checkSnapshot wants one who only looks to get the same as a reader.
func (s *sequence) checkSnapshot(got told) {
	for {
		var text bytes.Buffer
		snapshot, err := Look(s.dir)
		if errors.Is(err, os.ErrNotExist) && len(got.text) == 0 {
			return // all was removed
		}
		if err == nil {
			err = snapshot.Copy(&text, 0, int64(len(s.kept)))
		}
		var gap *GapError
		if err != nil && !errors.As(err, &gap) && s.again(err) {
			continue
		}
		if len(got.missing) == 0 && err != nil || !bytes.Equal(text.Bytes(), got.text) {
			s.fail("one who looks gets %d bytes, %v; a reader %d, and %+v is missing", text.Len(), err, len(got.text), got.missing)
		}
		return
	}
}

// step does one thing.
func (s *sequence) step(what, how byte) {
	switch what % 10 {
	case 0, 1:
		s.print(4*int(how), false)
	case 2, 3:
		s.print(4*int(how), true)
	case 4:
		if number, err := s.j.Boot(); err == nil {
			s.boots++
			if number != s.boots {
				s.fail("boot %d, not %d", number, s.boots)
			}
		} else if !s.failing {
			s.fail("boot: %w", err)
		}
	case 5:
		s.close(how%4 == 0)
		if how%4 == 1 && !s.failing {
			s.damage(int(how/4), int(how/4)/6, false)
		}
		s.open()
	case 6, 7:
		s.read(s.live, int(how))
	case 8:
		s.j.Doubt(int64(how%3), "it was full")
	case 9:
		s.damage(int(how), int(how)/6, true)
		s.check()
	}
}

// end checks for the last time.
func (s *sequence) end() error {
	s.check()
	s.close(false)
	s.open()
	s.check()
	s.live.Close()
	s.j.Close()
	return errors.Join(s.wrong, unix.Close(s.pipe[0]), unix.Close(s.pipe[1]))
}

// runSequence does things in random order.
func runSequence(dir string, seed uint64, steps int, failing bool) error {
	random := rand.New(rand.NewPCG(seed, 0))
	s, err := newSequence(dir, failing)
	if err != nil {
		return err
	}
	for step := 0; step < steps && s.wrong == nil; step++ {
		s.step(byte(random.IntN(10)), byte(random.IntN(256)))
		if step%10 == 0 {
			s.check()
		}
	}
	return s.end()
}

// Things are done to a journal in random order.
func TestSequences(t *testing.T) {
	for seed := range uint64(20) {
		if err := runSequence(t.TempDir(), seed, 200, false); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// shortages are the errors of system calls that fail in a sequence.
var shortages = []string{"EMFILE", "ENFILE", "ENOSPC", "EDQUOT", "EIO", "EINTR"}

// injected are the system calls of package journal, as strace names them; of each, the
// first ones, which may be the loader's, do not fail, and then one of so many does: what
// takes fewer calls works when it is tried again.
var injected = []struct {
	call        string
	spared, all int
}{
	{"openat", 10, 23}, {"newfstatat", 10, 23}, {"pread64", 10, 23}, {"getdents64", 0, 23}, {"unlinkat", 0, 23},
	{"fstat", 10, 7}, {"read", 10, 7}, {"write", 0, 7}, {"pwrite64", 0, 7}, {"splice", 0, 7},
	{"flock", 0, 5}, {"mkdirat", 0, 5}, {"renameat", 0, 3}, {"ftruncate", 0, 3},
}

// Each system call fails, time and again, with each error of a shortage, while things
// are done to a journal in random order.
func TestShortages(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		const remedy = "no strace here (install strace)"
		if os.Getenv("CI") == "true" {
			t.Fatal(remedy)
		}
		t.Skip(remedy)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range injected {
		t.Run(test.call, func(t *testing.T) {
			t.Parallel()
			failed := 0
			for seed, shortage := range shortages {
				dir := t.TempDir()
				calls := filepath.Join(dir, "calls")
				inject := fmt.Sprintf("inject=%s:error=%s:when=%d+%d", test.call, shortage, test.spared+1+seed*test.all/len(shortages), test.all)
				command := exec.Command("strace", "-f", "--seccomp-bpf", "-qq", "-o", calls, "-e", "trace="+test.call, "-e", inject, self)
				command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", // else each takes a second longer
					"JOURNAL_TEST_SEQUENCE="+dir, "JOURNAL_TEST_SEED="+strconv.Itoa(seed))
				if output, err := command.CombinedOutput(); err != nil {
					t.Errorf("%s, seed %d: %v: %.2000s", inject, seed, err, output)
				}
				text, err := os.ReadFile(calls)
				if err != nil {
					t.Fatal(err)
				}
				failed += bytes.Count(text, []byte("(INJECTED)"))
			}
			if failed == 0 {
				t.Error("none has failed")
			}
			t.Logf("%d have failed", failed)
		})
	}
}

// runShortage is the process whose system calls fail.
func runShortage(dir string) {
	runtime.LockOSThread() // calls are counted by thread
	seed, err := strconv.ParseUint(os.Getenv("JOURNAL_TEST_SEED"), 10, 64)
	if err == nil {
		err = runSequence(dir, seed, 100, true)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
