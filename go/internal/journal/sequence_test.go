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
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/testsupport/numbered"
)

// sequence applies operations to a journal and records what it must hold: a numbered
// stream, each byte of which is kept at its offset or missing for a known reason.
type sequence struct {
	dir     string
	failing bool   // system calls fail: operations are retried, or bytes counted as lost
	stream  []byte // everything to be printed
	printed int    // how much of stream has been printed

	j    *Journal
	live *Reader // reads now and then

	kept     []byte          // the bytes by offset; its length is the end of the stream
	lost     map[int64]int64 // bytes that could not be kept, by offset
	damaged  []span          // removed by another program
	pipe     [2]int
	boots    []int64 // start of each boot, from boot 0
	ends     map[int]string
	restarts map[int]int
	forgot   bool   // the records of boots were not saved
	restore  func() // removes bytes that were appended to a file
	wrong    error
	attempts int // failed operations

	clock    func(time.Duration) // advances the time; nil for real time
	progress time.Time           // when the live reader last read something or had read everything
	noticed  time.Time           // when the journal may have noticed that the reader is idle; zero if not yet
	cut      bool                // bytes that the live reader had to read were dropped
}

// span is the part of the stream between two offsets.
type span struct{ from, to int64 }

// The retention of a sequence and the size of its segments, in bytes.
const (
	sequenceBytes   = 4096
	sequenceBoots   = 6
	sequenceSegment = 512
)

func newSequence(dir string, failing bool, clock func(time.Duration)) (*sequence, error) {
	s := &sequence{
		dir: filepath.Join(dir, "journal"), failing: failing, clock: clock, lost: map[int64]int64{}, restore: func() {},
		boots: []int64{0}, ends: map[int]string{}, restarts: map[int]int{},
	}
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

// retry reports whether an operation that failed with err should be retried.
func (s *sequence) retry(err error) bool {
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
		if s.retry(err) {
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
	s.progress, s.noticed, s.cut = time.Now(), time.Time{}, false
	for _, gap := range s.j.Gaps() {
		if s.failing && strings.Contains(gap.Cause, "set aside") { // no file has the gaps
			clear(s.lost)
		}
	}
	if boot := s.j.BootNumber(); boot != len(s.boots)-1 {
		s.fail("reopened at boot %d, want %d", boot, len(s.boots)-1)
	}
	if _, end := s.j.Range(); end != int64(len(s.kept)) {
		s.fail("reopened, the stream ends at %d, want %d", end, len(s.kept))
	}
}

// close closes the journal, or simulates that its process is killed after it has noticed
// bytes appended to the newest file; later, these would look like printed ones. If
// Close returns an error because gaps could not be saved, they need not be known any
// more.
func (s *sequence) close(kill bool) {
	if kill {
		s.print(1, false)
	}
	saved := !s.j.store.gaps.file.stale
	if kill {
		s.forgot = s.forgot || s.j.store.boots.file.stale
		s.j.head.close()
		s.j.store.lock.Close()
		s.j.closed = true // make it do nothing any more
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

// print appends the next n bytes of the stream, with splice(2) or without.
func (s *sequence) print(n int, splice bool) {
	data := s.stream[s.printed:min(len(s.stream), s.printed+n)]
	s.printed += len(data)
	if !splice {
		s.write(data)
		return
	}
	for sent := 0; sent < len(data); {
		n, err := unix.Write(s.pipe[1], data[sent:])
		if err != nil && !s.retry(err) {
			return
		}
		sent += max(0, n)
	}
	for at := 0; at < len(data) && s.wrong == nil; {
		_, before := s.j.Range()
		n, err := s.j.Take(s.pipe[0], "")
		s.retry(err)
		_, end := s.j.Range()
		kept := int(end - before)
		s.keep(data[at : at+kept])
		if kept < n {
			s.lose(n - kept)
		}
		at += n
	}
}

func (s *sequence) write(data []byte) {
	n, err := s.j.Write(data)
	s.keep(data[:n])
	if err != nil {
		s.j.Lose(int64(len(data)-n), err)
		s.lose(len(data) - n)
	}
}

// lose records that bytes could not be kept.
func (s *sequence) lose(n int) {
	if !s.failing {
		s.fail("%d bytes at %d could not be kept", n, len(s.kept))
	}
	s.lost[int64(len(s.kept))] += int64(n)
}

// keep records what has been kept, and checks what was dropped for it.
func (s *sequence) keep(data []byte) {
	if len(data) == 0 {
		return
	}
	caughtUp := s.live.Offset() >= int64(len(s.kept))
	s.kept = append(s.kept, data...)
	now := time.Now()
	if caughtUp {
		s.progress, s.noticed = now, time.Time{}
	} else if s.noticed.IsZero() && now.Sub(s.progress) >= markEvery {
		s.noticed = now
	}
	if !s.failing {
		s.checkRetention(now)
	}
}

// checkRetention checks that not more than necessary is kept, and that what the live
// reader has to read is kept.
func (s *sequence) checkRetention(now time.Time) {
	oldest, end := s.j.Range()
	offset := s.live.Offset()
	holds := offset < s.j.store.segments[0].end() && end-oldest <= heldFactor*sequenceBytes &&
		(s.noticed.IsZero() || now.Sub(s.noticed) < idleLimit)
	if boots := s.printedBoots(); (end-oldest > sequenceBytes || boots > sequenceBoots) && !holds {
		s.fail("kept %d to %d: too much, or too many boots (%d)", oldest, end, boots)
	}
	if offset < oldest && !s.cut && len(s.damaged) == 0 &&
		end-offset <= heldFactor*sequenceBytes-sequenceSegment && now.Sub(s.progress) < idleLimit {
		s.fail("a reader at %d has lost bytes: kept %d to %d", offset, oldest, end)
	}
	s.cut = offset < oldest
}

// printedBoots returns how many boots that have printed something are kept.
func (s *sequence) printedBoots() int {
	if len(s.damaged) > 0 {
		return s.j.store.segments.printed()
	}
	count := 0
	for _, boot := range s.keptBoots() {
		if boot.to > boot.from {
			count++
		}
	}
	return count
}

// keptBoots returns the kept part of each boot, by number. It is not valid if bytes were
// removed by another program.
func (s *sequence) keptBoots() (all []span) {
	oldest, end := s.j.Range()
	for i, start := range s.boots {
		next := end
		if i+1 < len(s.boots) {
			next = s.boots[i+1]
		}
		all = append(all, span{max(start, oldest), max(next, oldest)})
	}
	return all
}

// damage changes the files like another program might, while the journal is open or
// closed. how and at select the change.
func (s *sequence) damage(how, at int, open bool) {
	s.restore()
	s.restore = func() {}
	all, _, err := list(s.dir)
	if err != nil || len(all) == 0 {
		if !errors.Is(err, os.ErrNotExist) {
			s.retry(err)
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
		// Only if the non-empty next file shows how long this one was, and as long as it
		// exists; or if the journal knows.
		newest := at%len(all) == len(all)-1
		written := open && here.same(*s.j.store.last())
		if written && !s.failing || !newest && s.bounded(here, all[at%len(all)+1], open) {
			err = writeFile(path, os.O_APPEND, []byte("what another program writes"))
		}
		if !newest {
			s.restore = func() { _ = os.Truncate(path, here.size) } // may have been dropped
		}
	case 5:
		if !open { // it would be another journal
			return
		}
		err, left = os.RemoveAll(s.dir), here.size // a part of it, on error
		s.damaged = append(s.damaged, span{0, int64(len(s.kept))})
		for missing := true; missing && s.wrong == nil; { // nothing else records the end of the stream
			s.print(1, false)
			_, err := os.Lstat(s.j.store.last().path(s.dir))
			missing = s.failing && s.retry(err)
		}
		s.damaged = append(s.damaged, span{0, int64(len(s.kept))})
	}
	if err == nil && (left < here.size || how%6 == 2) { // an empty file marks a boot
		s.damaged = append(s.damaged, span{here.start + left, here.end()})
	}
}

// bounded reports whether the next file shows how long a file was. Bytes that another
// program appended to the newest file do not count: the journal cuts them off.
func (s *sequence) bounded(here, next segment, open bool) bool {
	if last := *s.j.store.last(); open && next.same(last) {
		next = last
	}
	return here.end() == next.start && next.size > 0
}

// outcome is what a reader has read.
type outcome struct {
	missing []span
	losses  map[int64]int64
	text    []byte
}

// read reads up to limit bytes and checks them.
func (s *sequence) read(r *Reader, limit int) outcome {
	ended, end := context.WithCancel(context.Background())
	end() // never wait
	got := outcome{losses: map[int64]int64{}}
	data := make([]byte, 200)
	for len(got.text) < limit && s.wrong == nil {
		at := r.Offset()
		n, err := r.Read(ended, data)
		if at+int64(n) > int64(len(s.kept)) || !bytes.Equal(data[:n], s.kept[at:at+int64(n)]) {
			s.fail("at offset %d: read %q, which was not printed there", at, data[:n])
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
				s.fail("at offset %d: %v, continues at %d", at, err, r.Offset())
			}
			got.missing = append(got.missing, span{gap.From, gap.To})
		case errors.As(err, &loss):
			if loss.Gap.Offset != at {
				s.fail("at offset %d: %v", at, err)
			}
			got.losses[at] += loss.Gap.Bytes
		case err != nil && !s.retry(err):
			return got
		}
	}
	return got
}

// check reads everything, and compares the bytes and the gaps with what must be there.
func (s *sequence) check() {
	if _, end := s.j.Range(); end != int64(len(s.kept)) {
		s.fail("the stream ends at %d, want %d", end, len(s.kept))
		return
	}
	reader := s.j.NewReader(0)
	defer reader.Close()
	got := s.read(reader, 1<<30)
	oldest, _ := s.j.Range()
	gaps := s.j.Gaps()
	if reader.Offset() != int64(len(s.kept)) {
		s.fail("the reader stopped at %d of %d", reader.Offset(), len(s.kept))
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
		loss := s.j.store.gaps.loss
		ongoing := loss != nil && loss.Offset == offset
		if offset >= oldest && listed[offset] != bytes || !inHole(offset) && !ongoing && got.losses[offset] != bytes {
			s.fail("%d bytes were lost at %d: listed %d, reported %d", bytes, offset, listed[offset], got.losses[offset])
		}
	}
	if boots := s.printedBoots(); !s.failing && len(s.damaged) == 0 && oldest > 0 && boots < sequenceBoots &&
		int64(len(s.kept))-oldest < sequenceBytes-sequenceSegment {
		s.fail("kept %d to %d: too little, with %d boots", oldest, len(s.kept), boots)
	}
	s.checkSnapshot(got)
}

// checkMissing checks that missing bytes are in a gap and were removed by another
// program.
func (s *sequence) checkMissing(part span, list gaps) {
	if part.from >= part.to {
		return
	}
	if rest := list.uncovered(part.from, part.to); len(rest) > 0 {
		s.fail("missing bytes %d to %d are not in the gaps %+v", part.from, part.to, list)
	}
	for at := part.from; at < part.to; at++ {
		if !slices.ContainsFunc(s.damaged, func(d span) bool { return d.from <= at && at < d.to }) {
			s.fail("the byte at %d is missing, but was not removed", at)
			return
		}
	}
}

// checkSnapshot checks that a snapshot holds what a reader has read.
func (s *sequence) checkSnapshot(got outcome) {
	for {
		var text bytes.Buffer
		snapshot, err := TakeSnapshot(s.dir)
		if errors.Is(err, os.ErrNotExist) && len(got.text) == 0 {
			return // everything was removed
		}
		if err == nil {
			err = snapshot.Copy(&text, 0, int64(len(s.kept)))
		}
		var gap *GapError
		if err != nil && !errors.As(err, &gap) && s.retry(err) {
			continue
		}
		if len(got.missing) == 0 && err != nil || !bytes.Equal(text.Bytes(), got.text) {
			s.fail("a snapshot has %d bytes, %v; a reader got %d, with %+v missing", text.Len(), err, len(got.text), got.missing)
		}
		// Bytes that another program has appended to the newest file remain until the
		// next write.
		if err == nil && !s.failing && len(s.damaged) == 0 && snapshot.segments[len(snapshot.segments)-1].end() == int64(len(s.kept)) {
			s.checkBoots(snapshot)
		}
		return
	}
}

// checkBoots checks that a snapshot has the right boots and their records.
func (s *sequence) checkBoots(snapshot *Snapshot) {
	if !snapshot.Written() {
		s.fail("Written is false")
	}
	boots := snapshot.Boots()
	for back, left := 0, len(boots); left > 0; back, left = back-1, left-1 {
		if boot, err := snapshot.Boot(back); err != nil || boot.Number != boots[left-1].Number {
			s.fail("boot %d is %+v, %w, want %+v", back, boot, err, boots[left-1])
		}
	}
	for number, kept := range s.keptBoots() {
		newest := number > 0 && number == len(s.boots)-1
		if kept.from >= kept.to && !newest {
			continue
		}
		if len(boots) == 0 {
			s.fail("boot %d is missing", number)
			return
		}
		boot := boots[0]
		boots = boots[1:]
		if boot.Number != number || boot.Start != kept.from || boot.End != kept.to {
			s.fail("boot %d: want %+v, got %+v", number, kept, boot)
		}
		if s.forgot || number == 0 {
			continue
		}
		how, ended := s.ends[number]
		if boot.How != how || boot.Ended.IsZero() == ended || boot.Started.IsZero() || len(boot.Restarts) != min(maxRestarts, s.restarts[number]) {
			s.fail("boot %d: want exit cause %q and %d restarts, got %+v", number, how, s.restarts[number], boot)
		}
	}
	if len(boots) > 0 {
		s.fail("unexpected boots %+v", boots)
	}
}

// record records how the newest boot ended, or a restart of the guest.
func (s *sequence) record(how int) {
	number := len(s.boots) - 1
	if how%2 == 0 {
		s.j.NoteRestart()
		s.restarts[number]++
		return
	}
	text := fmt.Sprint("by ", how)
	s.j.EndBoot(text)
	if _, ended := s.ends[number]; !ended {
		s.ends[number] = text
	}
}

// step does one operation.
func (s *sequence) step(what, how byte) {
	switch what % 12 {
	case 0, 1:
		s.print(4*int(how), false)
	case 2, 3:
		s.print(4*int(how), true)
	case 4:
		number, err := s.j.Boot()
		if err == nil {
			s.boots = append(s.boots, int64(len(s.kept)))
		}
		if err == nil && number != len(s.boots)-1 || err != nil && !s.failing {
			s.fail("boot %d, %w, want %d", number, err, len(s.boots)-1)
		}
	case 5:
		s.close(how%4 == 0)
		if how%4 == 1 && !s.failing {
			s.damage(int(how/4), int(how/4)/6, false)
		}
		s.open()
	case 6, 7:
		before := s.live.Offset()
		s.read(s.live, int(how))
		if s.live.Offset() != before {
			s.progress, s.noticed, s.cut = time.Now(), time.Time{}, false
		}
	case 8:
		noteOverrun(s.j, int64(how%3))
	case 9:
		s.damage(int(how), int(how)/6, true)
		s.check()
	case 10:
		if s.clock != nil {
			s.clock([]time.Duration{5 * time.Millisecond, time.Second, idleLimit * 2 / 3}[how%3])
		}
	case 11:
		s.record(int(how))
	}
}

// end does the final checks.
func (s *sequence) end() error {
	s.check()
	s.close(false)
	s.open()
	s.check()
	s.live.Close()
	s.j.Close()
	return errors.Join(s.wrong, unix.Close(s.pipe[0]), unix.Close(s.pipe[1]))
}

// runSequence does operations in random order.
func runSequence(dir string, seed uint64, steps int, failing bool, clock func(time.Duration)) error {
	random := rand.New(rand.NewPCG(seed, 0))
	s, err := newSequence(dir, failing, clock)
	if err != nil {
		return err
	}
	for step := 0; step < steps && s.wrong == nil; step++ {
		s.step(byte(random.IntN(12)), byte(random.IntN(256)))
		if step%10 == 0 {
			s.check()
		}
	}
	return s.end()
}

// Random sequences of operations.
func TestSequences(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			if err := runSequence(t.TempDir(), seed, 200, false, time.Sleep); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		})
	}
}

// shortages are the errors with which system calls fail in a sequence.
var shortages = []string{"EMFILE", "ENFILE", "ENOSPC", "EDQUOT", "EIO", "EINTR"}

// injected lists the system calls of package journal, as strace names them. The first
// calls, which may be the loader's, do not fail; then one in every few does. An operation
// of fewer calls succeeds when it is retried.
var injected = []struct {
	call        string
	spared, all int
}{
	{"openat", 10, 23}, {"newfstatat", 10, 23}, {"pread64", 10, 23}, {"getdents64", 0, 23}, {"unlinkat", 0, 23},
	{"fstat", 10, 7}, {"read", 10, 7}, {"write", 0, 7}, {"pwrite64", 0, 7}, {"splice", 0, 7},
	{"flock", 0, 5}, {"mkdirat", 0, 5}, {"renameat", 0, 3}, {"ftruncate", 0, 3},
}

// Each system call fails again and again with each error of a shortage, during random
// operations.
func TestShortages(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		const remedy = "strace is not installed (apt install strace)"
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
				command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", // otherwise each process takes one second longer
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
				t.Error("no call has failed")
			}
			t.Logf("%d calls have failed", failed)
		})
	}
}

// runShortage is the process whose system calls fail.
func runShortage(dir string) {
	runtime.LockOSThread() // calls are counted by thread
	seed, err := strconv.ParseUint(os.Getenv("JOURNAL_TEST_SEED"), 10, 64)
	if err == nil {
		err = runSequence(dir, seed, 100, true, nil)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
