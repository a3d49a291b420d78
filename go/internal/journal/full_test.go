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
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/testsupport/numbered"
)

// When files of an open journal are removed, readers get a gap for their bytes, and the
// stream continues.
func TestRemovedFiles(t *testing.T) {
	for _, test := range []struct {
		name   string
		remove []int // which of the three segments
		gaps   []GapError
		kept   string
	}{
		{"the newest", []int{2}, []GapError{{10, 15}}, "11111222226"},
		{"one in the middle", []int{1}, []GapError{{5, 10}}, "11111333336"},
		{"all", []int{0, 1, 2}, []GapError{{0, 5}, {5, 10}, {10, 15}}, "6"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "journal")
			j := open(t, dir, DefaultRetention)
			for _, text := range []string{"11111", "22222", "33333"} {
				boot(t, j)
				write(t, j, text)
			}
			segments, _, err := list(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range test.remove {
				os.Remove(segments[len(segments)-3+i].path(dir))
			}
			reader := j.NewReader(0)
			defer reader.Close()
			var kept []byte
			var gaps []GapError
			data := make([]byte, 64)
			for reader.Offset() < 16 {
				if reader.Offset() == 15 && !strings.HasSuffix(string(kept), "6") && len(gaps) == len(test.gaps) {
					write(t, j, "6")
				}
				n, err := reader.Read(t.Context(), data)
				kept = append(kept, data[:n]...)
				var gap *GapError
				if errors.As(err, &gap) {
					gaps = append(gaps, *gap)
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if string(kept) != test.kept || fmt.Sprint(gaps) != fmt.Sprint(test.gaps) {
				t.Errorf("kept %q, gaps %v, want %q, %v", kept, gaps, test.kept, test.gaps)
			}
			for i, gap := range j.Gaps() {
				if !gap.Taken || gap.Offset != test.gaps[i].From {
					t.Errorf("gap %+v, want %+v", gap, test.gaps[i])
				}
			}
		})
	}
}

// When the folder is removed without a reader, the next bytes are kept.
func TestRemovedFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j := open(t, dir, DefaultRetention)
	boot(t, j)
	write(t, j, "lost")
	j.EndBoot("removed")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(j.Gaps()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("timed out: no gap")
		}
		write(t, j, "x")
	}
	write(t, j, "kept")
	text, err := os.ReadFile(j.store.last().path(dir))
	if err != nil || !strings.HasSuffix(string(text), "kept") {
		t.Errorf("got %q, %v", text, err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if boot, err := snapshotOf(t, dir).Boot(0); err != nil || boot.How != "removed" {
		t.Errorf("%+v, %v", boot, err)
	}
}

// A full pipe is recorded as a gap after its content, with splice(2) and without, if the
// printer drops bytes instead of waiting.
func TestFullPipe(t *testing.T) {
	for _, copies := range []bool{false, true} {
		for _, overrun := range []string{"", "it was full"} {
			j := open(t, t.TempDir(), DefaultRetention)
			j.copies.Store(copies)
			out, in := pipe(t)
			write(t, j, "abc")
			printed := int64(3)
			for {
				n, err := unix.Write(in, make([]byte, 1000))
				if err != nil {
					break
				}
				printed += int64(n)
			}
			for {
				_, err := j.Take(out, overrun)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			_, end := j.Range()
			var want []Gap
			if overrun != "" {
				want = []Gap{{Offset: printed, Cause: overrun}}
			}
			if gaps := j.Gaps(); end != printed || !slices.Equal(gaps, want) || j.Exact() == copies {
				t.Errorf("copies %t: %d bytes of %d, gaps %+v, want %+v", copies, end, printed, gaps, want)
			}
		}
	}
}

// reads checks that one Read returns want.
func reads(t *testing.T, r *Reader, want string) {
	t.Helper()
	data := make([]byte, 64)
	if n, err := r.Read(t.Context(), data); err != nil || string(data[:n]) != want {
		t.Errorf("got %q, %v, want %q", data[:n], err, want)
	}
}

func TestLosses(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, DefaultRetention)
	write(t, j, "abc")
	early := j.NewReader(0)
	defer early.Close()
	j.Lose(5, errors.New("no space"))
	j.Lose(6, errors.New("no space"))
	if gaps := j.Gaps(); len(gaps) != 1 || gaps[0] != (Gap{Offset: 3, Bytes: 11, Cause: "no space"}) {
		t.Errorf("gaps %+v", gaps)
	}
	write(t, j, "def")
	reads(t, early, "abc")
	_, err := early.Read(t.Context(), nil)
	var loss *LossError
	if !errors.As(err, &loss) || loss.Gap.Bytes != 11 || loss.Error() != "11 bytes were lost (offset 3: no space)" {
		t.Errorf("got %v", err)
	}
	reads(t, early, "def")
	j.Close()
	j = open(t, dir, DefaultRetention)
	late := j.NewReader(3)
	defer late.Close()
	if bytes := late.Losses(); bytes != 11 {
		t.Errorf("%d bytes were lost here, want 11", bytes)
	}
	reads(t, late, "def")
	if after := j.NewReader(4); after.Losses() != 0 {
		t.Error("a loss is reported at another offset")
	}
}

// noteOverrun records that bytes may be missing after the next ahead bytes, like Take.
func noteOverrun(j *Journal, ahead int64) {
	_, end := j.Range()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.store.gaps.add(Gap{Offset: end + ahead, Cause: "it was full"})
}

// Bytes that may be missing are reported once at their place, which is ahead of the end
// when they are recorded, both to existing and to later readers.
func TestOverrun(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, DefaultRetention)
	write(t, j, "abc")
	early := j.NewReader(0)
	defer early.Close()
	noteOverrun(j, 2)
	noteOverrun(j, 2)
	write(t, j, "defg")
	if gaps := j.Gaps(); len(gaps) != 1 || gaps[0] != (Gap{Offset: 5, Cause: "it was full"}) {
		t.Errorf("gaps %+v", gaps)
	}
	reads(t, early, "abcde")
	const want = "bytes may be missing here (offset 5: it was full)"
	if _, err := early.Read(t.Context(), nil); !Missing(err) || err.Error() != want {
		t.Errorf("got %v", err)
	}
	reads(t, early, "fg")
	j.Close()
	j = open(t, dir, DefaultRetention)
	late := j.NewReader(5)
	defer late.Close()
	if bytes := late.Losses(); bytes != -1 {
		t.Errorf("%d bytes were lost here, want -1", bytes)
	}
	reads(t, late, "fg")
}

// On a full disk, first the oldest segments are removed, then bytes are lost and counted.
// Once there is space again, the stream continues.
func TestFullDisk(t *testing.T) {
	self, _ := os.Executable()
	command := exec.Command(self)
	command.Env = append(os.Environ(), "JOURNAL_TEST_FULL="+t.TempDir())
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	groups := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	command.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, UidMappings: ids, GidMappings: groups}
	output, err := command.CombinedOutput()
	if errors.Is(err, unix.EPERM) || strings.Contains(string(output), "mount: ") {
		t.Skipf("cannot mount a tmpfs: %v: %s (allow user namespaces, or run as root)", err, output)
	}
	if err != nil || string(output) != "" {
		t.Errorf("%v: %s", err, output)
	}
}

// fillDisk runs TestFullDisk in a mount namespace. It prints errors.
func fillDisk(dir string) {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=40m"); err != nil {
		fmt.Println("mount: ", err)
		return
	}
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	other := filepath.Join(dir, "other")
	j, err := Open(filepath.Join(dir, "journal"), Retention{Bytes: 1 << 40, Boots: 1000})
	check(err)
	pinned := j.NewReader(0) // has the oldest segment open
	_, err = j.Write([]byte("line 0\n"))
	check(err)
	_, err = pinned.Read(context.Background(), make([]byte, 1))
	check(err)
	const half = 6_000_000 // 76 MB: more than the disk has
	check(numbered.Write(j, 1, half))
	if gaps := j.Gaps(); len(gaps) > 0 {
		fmt.Printf("lost with segments to drop: %+v\n", gaps)
	}
	oldest, end := j.Range()
	if oldest == 0 || end != size(j.Dir()) {
		fmt.Printf("kept from %d to %d of %d\n", oldest, end, size(j.Dir()))
	}
	var gap *GapError
	if _, err := pinned.Read(context.Background(), make([]byte, 1<<20)); !errors.As(err, &gap) || gap.From != 1 {
		fmt.Printf("the reader of a removed segment: %v\n", err)
	}
	// Another program uses all the space.
	file, err := os.Create(other)
	check(err)
	lost := int64(0)
	for lost < 100_000 {
		_, _ = file.Write(make([]byte, 1<<20)) // takes free space, including what the journal frees
		line := []byte("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n")
		n, err := j.Write(line)
		if err != nil {
			j.Lose(int64(len(line)-n), err)
			lost += int64(len(line) - n)
		}
	}
	_, at := j.Range()
	check(os.Remove(other))
	check(file.Close())
	_, err = j.Write([]byte("again\n"))
	check(err)
	gaps := j.Gaps()
	if len(gaps) != 1 || gaps[0].Bytes != lost || gaps[0].Offset != at || gaps[0].Cause != "write: "+unix.ENOSPC.Error() {
		fmt.Printf("lost %d at %d, reported %+v\n", lost, at, gaps)
	}
	text, err := os.ReadFile(j.store.last().path(j.Dir()))
	check(err)
	if !strings.HasSuffix(string(text), "again\n") {
		fmt.Printf("the stream does not continue: %q\n", text[max(0, len(text)-100):])
	}
}

// A loss in progress when the writer ends is recorded.
func TestLossAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, DefaultRetention)
	write(t, j, "kept")
	j.Lose(7, unix.ENOSPC)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	gaps := open(t, dir, DefaultRetention).Gaps()
	if len(gaps) != 1 || gaps[0].Offset != 4 || gaps[0].Bytes != 7 {
		t.Errorf("%+v", gaps)
	}
}

// Without file descriptors, the journal continues in its current segment, and leaves no
// trace of the segment that it could not create.
func TestNoDescriptors(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, DefaultRetention)
	j.full = 5
	write(t, j, "12345")
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	n, err := j.Write([]byte("67890"))
	_, booted := j.Boot()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if n != 5 || err != nil || !errors.Is(booted, unix.EMFILE) {
		t.Errorf("wrote %d bytes, %v; a boot: %v", n, err, booted)
	}
	write(t, j, "abc")
	boot(t, j)
	write(t, j, "def")
	for range 2 {
		if text := all(t, j); text != "1234567890abcdef" || len(j.Gaps()) > 0 || j.BootNumber() != 1 {
			t.Errorf("read %q, gaps %+v, boot %d", text, j.Gaps(), j.BootNumber())
		}
		j.Close()
		j = open(t, dir, DefaultRetention)
	}
}

// A segment that cannot be followed by another is limited too. Further bytes are lost,
// with an error, until another can be created.
func TestRetentionWithoutDescriptors(t *testing.T) {
	j := open(t, t.TempDir(), Retention{Bytes: 12, Boots: 10})
	j.full = 5
	write(t, j, "12345")
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	n, err := j.Write([]byte("6789012345"))
	if restored := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); restored != nil {
		t.Fatal(restored)
	}
	if n != 7 || !errors.Is(err, unix.EMFILE) {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
	j.Lose(3, err)
	write(t, j, "abc")
	if text := all(t, j); text != "[12](3)abc" {
		t.Errorf("read %q", text)
	}
}

// A gap that cannot be written to the file immediately is written later.
func TestGapIsSavedLater(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, DefaultRetention)
	if err := os.Mkdir(filepath.Join(dir, gapsName), 0o700); err != nil {
		t.Fatal(err)
	}
	j.Lose(7, unix.ENOSPC)
	write(t, j, "x")
	if err := os.Remove(filepath.Join(dir, gapsName)); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if gaps := open(t, dir, DefaultRetention).Gaps(); sum(gaps) != 7 {
		t.Errorf("%+v", gaps)
	}
}

// A loss that cannot be written to the file of the gaps is known to readers while the journal is
// open and after it, and to the next writer.
func TestUnsavedLoss(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, DefaultRetention)
	if err := os.Mkdir(filepath.Join(dir, gapsName), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, j, "kept")
	j.Lose(3, unix.ENOSPC)
	j.Lose(4, unix.ENOSPC)
	check := func(when string) {
		var losses []string
		snapshot := snapshotOf(t, dir)
		err := snapshot.Walk(0, snapshot.End(), func([]byte) {}, func(err error) { losses = append(losses, err.Error()) })
		if err != nil || len(losses) != 1 || !strings.HasPrefix(losses[0], "7 bytes were lost (offset 4: ") {
			t.Errorf("%s: %q, %v", when, losses, err)
		}
	}
	check("open")
	if err := j.Close(); err == nil {
		t.Error("the file of the gaps could be written")
	}
	check("closed")
	if err := os.Remove(filepath.Join(dir, gapsName)); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir, DefaultRetention)
	write(t, j, "more")
	if gaps := j.Gaps(); len(gaps) != 1 || gaps[0].Offset != 4 || gaps[0].Bytes != 7 {
		t.Errorf("%+v", gaps)
	}
	j.Close()
	check("closed again")
}
