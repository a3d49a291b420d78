package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/testsupport/numbered"
)

// The test binary runs as a helper process if one of these variables is set.
func TestMain(m *testing.M) {
	if dir := os.Getenv("JOURNAL_TEST_WRITER"); dir != "" {
		panic(spliceForever(dir))
	}
	if dir := os.Getenv("JOURNAL_TEST_FULL"); dir != "" {
		fillDisk(dir)
		return
	}
	if dir := os.Getenv("JOURNAL_TEST_SEQUENCE"); dir != "" {
		runShortage(dir)
		return
	}
	os.Exit(m.Run())
}

func open(t *testing.T, dir string, retention Retention) *Journal {
	t.Helper()
	j, err := Open(dir, retention)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func write(t *testing.T, j *Journal, text string) {
	t.Helper()
	if n, err := j.Write([]byte(text)); err != nil || n != len(text) {
		t.Fatalf("wrote %d of %d bytes: %v", n, len(text), err)
	}
}

func boot(t *testing.T, j *Journal) {
	t.Helper()
	if _, err := j.Boot(); err != nil {
		t.Fatal(err)
	}
}

// read reads the rest of a closed journal.
func read(t *testing.T, r *Reader) string {
	t.Helper()
	var text []byte
	chunk := make([]byte, 64<<10)
	for {
		n, err := r.Read(t.Context(), chunk)
		text = append(text, chunk[:n]...)
		if errors.Is(err, ErrClosed) {
			return string(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestReopenContinuesTheStream(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		j := open(t, dir, DefaultRetention)
		if number, err := j.Boot(); err != nil || number != i+1 {
			t.Errorf("boot %d, %v, want %d", number, err, i+1)
		}
		write(t, j, "boot "+strconv.Itoa(i+1)+"\n")
		j.Close()
	}
	j := open(t, dir, DefaultRetention)
	for back, want := range map[int][2]int64{0: {14, 21}, -1: {7, 14}, -2: {0, 7}} {
		start, end, err := j.BootRange(back)
		if err != nil || start != want[0] || end != want[1] {
			t.Errorf("boot %d is from %d to %d, %v, want %v", back, start, end, err, want)
		}
	}
	want := "boot: -3 is not kept (choose one from -2, the oldest, to 0, the newest)"
	if _, _, err := j.BootRange(-3); !errors.Is(err, ErrNotKept) || err.Error() != want {
		t.Errorf("a boot before the first one: %v", err)
	}
	reader := j.NewReader(0)
	defer reader.Close()
	j.Close()
	if text := read(t, reader); text != "boot 1\nboot 2\nboot 3\n" {
		t.Errorf("read %q", text)
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, DefaultRetention)
	_, err := Open(dir, DefaultRetention)
	if want := fmt.Sprintf("(pid %d; stop it first)", os.Getpid()); !errors.Is(err, ErrInUse) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("a second writer got %v, want it to end with %s", err, want)
	}
}

func TestReaderWaitsAndStops(t *testing.T) {
	j := open(t, t.TempDir(), DefaultRetention)
	reader := j.NewReader(0)
	defer reader.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		j.Write([]byte("a"))
		j.Boot()
		j.Boot() // nothing is printed in the first of the two
		j.Write([]byte("b"))
	}()
	data := make([]byte, 8)
	for _, want := range "ab" {
		if n, err := reader.Read(ctx, data); err != nil || string(data[:n]) != string(want) {
			t.Fatalf("read %q, %v, want %q", data[:n], err, want)
		}
	}
	cancel()
	if _, err := reader.Read(ctx, data); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSegmentsAndManyReaders(t *testing.T) {
	j := open(t, t.TempDir(), DefaultRetention)
	const lines = 3_000_000 // 38 MB: three segments
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			reader, checker := j.NewReader(0), numbered.Checker{}
			defer reader.Close()
			chunk := make([]byte, 64<<10)
			for {
				n, err := reader.Read(t.Context(), chunk)
				if _, wrong := checker.Write(chunk[:n]); wrong != nil {
					t.Error(wrong)
					return
				}
				if err != nil {
					if err := checker.Whole(lines); err != nil {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	if err := numbered.Write(j, 0, lines); err != nil {
		t.Fatal(err)
	}
	j.Close()
	readers.Wait()
	if segments, _, err := list(j.Dir()); err != nil || len(segments) != 3 {
		t.Errorf("%d segments, %v", len(segments), err)
	}
}

func TestRetention(t *testing.T) {
	for _, test := range []struct {
		name      string
		retention Retention
		oldest    int64
	}{
		{"by boots", Retention{Bytes: 1 << 30, Boots: 3}, 7 * 5},
		{"by bytes", Retention{Bytes: 12, Boots: 100}, 8 * 5},
		{"the newest stays", Retention{Bytes: 0, Boots: 0}, 9 * 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			j := open(t, t.TempDir(), test.retention)
			for range 10 {
				boot(t, j)
				write(t, j, "1234\n")
			}
			j.mu.Lock()
			j.store.retain(time.Now())
			j.mu.Unlock()
			if oldest, end := j.Range(); oldest != test.oldest || end != 50 {
				t.Errorf("kept from %d to %d, want from %d", oldest, end, test.oldest)
			}
			reader := j.NewReader(0)
			defer reader.Close()
			var gap *GapError
			if err := reader.Wait(t.Context()); !errors.As(err, &gap) || *gap != (GapError{0, test.oldest}) {
				t.Errorf("got %v", err)
			}
			j.Close()
			if text := read(t, reader); len(text) != int(50-test.oldest) {
				t.Errorf("after the gap: %q", text)
			}
		})
	}
}

// When a segment is dropped because the disk is full, a reader that has its file open
// gets a gap, and the space is freed.
func TestReaderOfADroppedSegment(t *testing.T) {
	j := open(t, t.TempDir(), Retention{Bytes: 1 << 30, Boots: 1})
	write(t, j, "old")
	reader := j.NewReader(0)
	defer reader.Close()
	data := make([]byte, 1)
	if _, err := reader.Read(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	write(t, j, "er")
	boot(t, j)
	write(t, j, "new")
	if err := j.retry(unix.ENOSPC); err != nil {
		t.Fatal(err)
	}
	if info, err := reader.file.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("the file still has %d bytes, %v", info.Size(), err)
	}
	var gap *GapError
	if _, err := reader.Read(t.Context(), data); !errors.As(err, &gap) || *gap != (GapError{1, 5}) {
		t.Errorf("got %v", err)
	}
	if gaps := j.Gaps(); len(gaps) > 0 {
		t.Errorf("a dropped segment is listed as a gap: %+v", gaps)
	}
}

// A user can keep a segment by a hard link.
func TestSegmentWithAHardLink(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Retention{Bytes: 1 << 30, Boots: 1})
	write(t, j, "old")
	other := filepath.Join(t.TempDir(), "mine")
	if err := os.Link(j.store.last().path(dir), other); err != nil {
		t.Fatal(err)
	}
	boot(t, j)
	write(t, j, "new")
	if text, err := os.ReadFile(other); err != nil || string(text) != "old" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestForeignAndDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, DefaultRetention)
	boot(t, j)
	write(t, j, "12345")
	boot(t, j)
	j.Close()
	for _, name := range []string{"note.txt", "0.0.log", "00000000000000000009.000009.log.old"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir, DefaultRetention).Close()
	segment := filepath.Join(dir, "00000000000000000000.000001.log")
	if err := os.Truncate(segment, 3); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir, DefaultRetention)
	reader := j.NewReader(0)
	defer reader.Close()
	data := make([]byte, 9)
	if n, err := reader.Read(t.Context(), data); err != nil || string(data[:n]) != "123" {
		t.Errorf("got %q, %v", data[:n], err)
	}
	var gap *GapError
	if err := reader.Wait(t.Context()); !errors.As(err, &gap) || *gap != (GapError{3, 5}) {
		t.Errorf("a segment that is too short: %v", err)
	}
	if gaps := j.Gaps(); len(gaps) != 1 || gaps[0] != (Gap{Offset: 3, Bytes: 2, Cause: causeHole, Taken: true}) {
		t.Errorf("gaps %+v", gaps)
	}
}

func TestTimes(t *testing.T) {
	j := open(t, t.TempDir(), DefaultRetention)
	write(t, j, "zero")
	boot(t, j)
	before := time.Now()
	write(t, j, "a")
	write(t, j, "b") // within 10 ms, or with another mark: both are correct
	snapshot, err := TakeSnapshot(j.Dir())
	if err != nil {
		t.Fatal(err)
	}
	newest, err := snapshot.Boot(0)
	start, end := newest.Start, newest.End
	if err != nil || start != 4 || end != 6 {
		t.Fatalf("the boot is from %d to %d, %v", start, end, err)
	}
	times := snapshot.Times(start, end)
	if len(times) == 0 || times[0].Offset != 4 {
		t.Fatalf("%v", times)
	}
	for offset := int64(4); offset < 9; offset++ {
		if at := times.At(offset); at.Before(before) || at.After(time.Now()) {
			t.Errorf("byte %d was written at %v", offset, at)
		}
	}
	if at := times.At(3); !at.IsZero() {
		t.Errorf("a byte before the first mark was written at %v", at)
	}
	if _, err := TakeSnapshot(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder without a stream: %v", err)
	}
}

func TestSnapshotCopies(t *testing.T) {
	j := open(t, t.TempDir(), Retention{Bytes: 1 << 30, Boots: 2})
	for _, text := range []string{"one", "two", "three"} {
		boot(t, j)
		write(t, j, text)
	}
	snapshot, err := TakeSnapshot(j.Dir())
	if err != nil {
		t.Fatal(err)
	}
	boot(t, j)
	write(t, j, "four") // drops "two"; "one" was dropped before
	for _, test := range []struct {
		name       string
		start, end int64
		want       string
		gap        bool
	}{
		{"everything", 3, 11, "three", true},
		{"a part", 7, 9, "hr", false},
		{"nothing", 11, 11, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var text strings.Builder
			err := snapshot.Copy(&text, test.start, test.end)
			var gap *GapError
			if errors.As(err, &gap) != test.gap || err != nil && !test.gap || text.String() != test.want {
				t.Errorf("got %q, %v", text.String(), err)
			}
		})
	}
}

func TestTail(t *testing.T) {
	j := open(t, t.TempDir(), DefaultRetention)
	boot(t, j)
	write(t, j, "one\ntwo\n") // 8 bytes
	boot(t, j)
	long := strings.Repeat("x", 2*tailBytes)
	write(t, j, long+"\n\nlogin: ")
	second := int64(8 + len(long) + 1)
	snapshot := snapshotOf(t, j.Dir())
	for _, test := range []struct {
		name       string
		start, end int64
		lines      int
		want       int64
	}{
		{"a line without its newline", 8, snapshot.End(), 1, second + 1},
		{"an empty line", 8, snapshot.End(), 2, second},
		{"a line longer than a read", 8, snapshot.End(), 3, 8},
		{"more than there are", 8, snapshot.End(), 100, 8},
		{"across two boots", 0, snapshot.End(), 4, 4},
		{"a line that is whole", 0, 8, 1, 4},
		{"all lines", 0, 8, 2, 0},
		{"within a line", 0, 6, 1, 4},
		{"nothing", 8, 8, 1, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, err := snapshot.Tail(test.start, test.end, test.lines); got != test.want || err != nil {
				t.Errorf("got %d, %v, want %d", got, err, test.want)
			}
		})
	}
}

func TestOnSegment(t *testing.T) {
	j := open(t, t.TempDir(), DefaultRetention)
	var paths []string
	j.OnSegment(func(path string) { paths = append(paths, filepath.Base(path)) })
	write(t, j, "abc")
	boot(t, j)
	want := []string{"00000000000000000000.000000.log", "00000000000000000003.000001.log"}
	if !slices.Equal(paths, want) {
		t.Errorf("called with %q, want %q", paths, want)
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte{}, 3)
	f.Add(make([]byte, 3*entryBytes+5), 3)
	f.Fuzz(func(t *testing.T, data []byte, _ int) {
		path := filepath.Join(t.TempDir(), "index")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		marks, err := readIndex(path)
		if err != nil || len(marks) > len(data)/entryBytes {
			t.Errorf("%d marks of %d bytes, %v", len(marks), len(data), err)
		}
		for i := range marks[:max(0, len(marks)-1)] {
			if marks[i].Offset > marks[i+1].Offset {
				t.Errorf("mark %d has a decreasing offset", i+1)
			}
		}
	})
}

// spliceForever moves bytes from descriptor 3 to a journal.
func spliceForever(dir string) error {
	j, err := Open(dir, Retention{Bytes: 1 << 40, Boots: 1 << 20})
	for err == nil {
		if _, err = j.Take(3, ""); errors.Is(err, io.EOF) {
			_, err = unix.Poll([]unix.PollFd{{Fd: 3, Events: unix.POLLIN}}, -1)
			if errors.Is(err, unix.EINTR) {
				err = nil
			}
		}
	}
	return err
}

// When writers are killed at random moments while numbered lines arrive at full speed, no
// line is missing or repeated.
func TestKilledWriterLosesNothing(t *testing.T) {
	const lines, kills = 3_000_000, 25
	dir := t.TempDir()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	fed := make(chan error, 1)
	go func() {
		defer in.Close()
		fed <- numbered.Write(in, 0, lines)
	}()
	self, _ := os.Executable()
	writer := func() *exec.Cmd {
		command := exec.Command(self)
		command.Env = append(os.Environ(), "JOURNAL_TEST_WRITER="+dir)
		command.ExtraFiles = []*os.File{out}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		return command
	}
	for range kills {
		command, before := writer(), size(dir)
		for deadline := time.Now().Add(time.Minute); size(dir) == before && len(fed) == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("timed out: the writer moves nothing")
			}
		}
		command.Process.Kill()
		command.Wait()
	}
	last := writer()
	if err := <-fed; err != nil {
		t.Fatal(err)
	}
	for {
		unread, err := unix.IoctlGetInt(int(out.Fd()), unix.TIOCINQ)
		if err != nil || unread == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	last.Process.Kill()
	last.Wait()
	j := open(t, dir, Retention{Bytes: 1 << 40, Boots: 1 << 20})
	reader, checker := j.NewReader(0), numbered.Checker{}
	defer reader.Close()
	j.Close()
	if _, err := checker.Write([]byte(read(t, reader))); err != nil {
		t.Fatal(err)
	}
	if err := checker.Whole(lines); err != nil {
		t.Error(err)
	}
}

// size returns the offset of the end of a journal.
func size(dir string) int64 {
	segments, _, err := list(dir)
	if err != nil || len(segments) == 0 {
		return 0
	}
	return segments[len(segments)-1].end()
}

// pipe returns a non-blocking pipe.
func pipe(t testing.TB) (out, in int) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(ends[0])
		unix.Close(ends[1])
	})
	return ends[0], ends[1]
}

// appends returns the two ways to append a line.
func appends(t testing.TB, j *Journal, line []byte) map[string]func() {
	out, in := pipe(t)
	check := func(n int, err error) {
		if err != nil || n != len(line) {
			t.Fatalf("%d bytes of %d: %v", n, len(line), err)
		}
	}
	return map[string]func(){
		"write": func() { check(j.Write(line)) },
		"take": func() {
			_, err := unix.Write(in, line)
			n, taken := j.Take(out, "")
			check(n, errors.Join(err, taken))
		},
	}
}

func TestAppendsWithoutAllocation(t *testing.T) {
	held := open(t, t.TempDir(), Retention{Bytes: 4 << 20, Boots: 2})
	defer held.NewReader(0).Close()
	fill(t, held, 8)
	for which, j := range map[string]*Journal{"alone": open(t, t.TempDir(), DefaultRetention), "with a slow reader": held} {
		for name, run := range appends(t, j, make([]byte, 64)) {
			if allocations := testing.AllocsPerRun(1000, run); allocations > 0 {
				t.Errorf("%s, %s: %v allocations", which, name, allocations)
			}
		}
	}
	if kept := kept(held); kept != 8 {
		t.Errorf("%d MiB are kept, want 8", kept)
	}
}

func BenchmarkAppend(b *testing.B) {
	j, err := Open(b.TempDir(), DefaultRetention)
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	line := make([]byte, 64)
	for name, run := range appends(b, j, line) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}
