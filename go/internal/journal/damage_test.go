package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// all reads a journal from offset 0, and marks what is missing: [n] for a GapError, (n)
// for a LossError.
func all(t *testing.T, j *Journal) string {
	t.Helper()
	reader := j.NewReader(0)
	defer reader.Close()
	_, end := j.Range()
	var text strings.Builder
	data := make([]byte, 64)
	for reader.Offset() < end {
		n, err := reader.Read(t.Context(), data)
		text.Write(data[:n])
		var gap *GapError
		var loss *LossError
		switch {
		case errors.As(err, &gap):
			fmt.Fprintf(&text, "[%d]", gap.To-gap.From)
		case errors.As(err, &loss):
			fmt.Fprintf(&text, "(%d)", loss.Gap.Bytes)
		case err != nil:
			t.Fatal(err)
		}
	}
	return text.String()
}

// sum returns the total size of gaps.
func sum(gaps []Gap) (bytes int64) {
	for _, gap := range gaps {
		bytes += gap.Bytes
	}
	return bytes
}

// After any change to the files of an open journal, each byte is read once or is part of
// a gap.
func TestDamageWhileOpen(t *testing.T) {
	newest := func(j *Journal) string { return j.store.last().path(j.Dir()) }
	for _, test := range []struct {
		name   string
		damage func(j *Journal) error
		want   string
		lost   int64
	}{
		{"emptied", func(j *Journal) error { return os.Truncate(newest(j), 0) }, "11111[5]6", 5},
		{"cut", func(j *Journal) error { return os.Truncate(newest(j), 2) }, "1111122[3]6", 3},
		{"removed", func(j *Journal) error { return os.Remove(newest(j)) }, "11111[5]6", 5},
		{"the folder removed", func(j *Journal) error { return os.RemoveAll(j.Dir()) }, "[10]6", 10},
		{"appended to", func(j *Journal) error {
			return writeFile(newest(j), os.O_APPEND, []byte("what another program writes"))
		}, "11111222226", 0},
		{"exchanged", func(j *Journal) error {
			return errors.Join(os.Remove(newest(j)), os.WriteFile(newest(j), []byte("xxx"), 0o600))
		}, "11111[5]6", 5},
		{"renamed", func(j *Journal) error { return os.Rename(newest(j), newest(j)+".old") }, "11111[5]6", 5},
		{"an old one emptied", func(j *Journal) error { return os.Truncate(j.store.segments[0].path(j.Dir()), 0) }, "[5]222226", 5},
		{"an old one cut", func(j *Journal) error { return os.Truncate(j.store.segments[0].path(j.Dir()), 2) }, "11[3]222226", 3},
		{"an old one appended to", func(j *Journal) error {
			return writeFile(j.store.segments[0].path(j.Dir()), os.O_APPEND, []byte("xxx"))
		}, "11111222226", 0},
		{"a name taken", func(j *Journal) error {
			return os.Mkdir(segment{start: 10, boot: 2}.path(j.Dir()), 0o700)
		}, "11111222226", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			j := open(t, filepath.Join(t.TempDir(), "journal"), DefaultRetention)
			for _, text := range []string{"11111", "22222"} {
				boot(t, j)
				write(t, j, text)
			}
			j.full = 5
			if err := test.damage(j); err != nil {
				t.Fatal(err)
			}
			write(t, j, "6")
			if text := all(t, j); strings.ReplaceAll(text, "[5][5]", "[10]") != test.want {
				t.Errorf("read %q, want %q", text, test.want)
			}
			gaps := j.Gaps()
			if sum(gaps) != test.lost {
				t.Errorf("gaps %+v, want %d bytes", gaps, test.lost)
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
			j = open(t, j.Dir(), DefaultRetention)
			if _, end := j.Range(); end != 11 || !slices.Equal(j.Gaps(), gaps) {
				t.Errorf("reopened, it ends at %d with gaps %+v, want %+v", end, j.Gaps(), gaps)
			}
		})
	}
}

// After any change to the files of a closed journal, it continues at its former end.
func TestDamageWhileClosed(t *testing.T) {
	first, second := segment{boot: 1}, segment{start: 5, boot: 2}
	remove := func(dir string, all ...segment) (err error) {
		for _, s := range all {
			err = errors.Join(err, os.Remove(s.path(dir)))
		}
		return err
	}
	for _, test := range []struct {
		name   string
		damage func(dir string) error
		want   string
		lost   int64
	}{
		{"nothing", func(string) error { return nil }, "11111222226", 0},
		{"the newest emptied", func(dir string) error { return os.Truncate(second.path(dir), 0) }, "11111[5]6", 5},
		{"the newest cut", func(dir string) error { return os.Truncate(second.path(dir), 2) }, "1111122[3]6", 3},
		{"the newest removed", func(dir string) error { return remove(dir, second) }, "11111[5]6", 5},
		{"the oldest cut", func(dir string) error { return os.Truncate(first.path(dir), 2) }, "11[3]222226", 3},
		{"all removed", func(dir string) error { return remove(dir, first, second) }, "[10](0)6", 0},
		{"the record removed", func(dir string) error { return os.Remove(filepath.Join(dir, "lock")) }, "11111222226", 0},
		{"the index removed", func(dir string) error {
			return errors.Join(os.Remove(first.path(dir)+indexSuffix), os.Remove(second.path(dir)+indexSuffix))
		}, "11111222226", 0},
		{"an index that is a folder", func(dir string) error {
			return errors.Join(os.Remove(second.path(dir)+indexSuffix), os.Mkdir(second.path(dir)+indexSuffix, 0o700))
		}, "11111222226", 0},
		{"gaps that are a folder", func(dir string) error { return os.Mkdir(filepath.Join(dir, gapsName), 0o700) }, "(0)11111222226", 0},
		{"an empty segment inside another one", func(dir string) error {
			return os.WriteFile(segment{start: 7, boot: 3}.path(dir), nil, 0o600)
		}, "11111222226", 0},
		{"a segment of an older boot at the end", func(dir string) error {
			return os.WriteFile(segment{start: 10, boot: 1}.path(dir), []byte("xxx"), 0o600)
		}, "1111122222[3]6", 3},
		{"a segment that overlaps the next one", func(dir string) error {
			return writeFile(first.path(dir), os.O_APPEND, []byte("xxx"))
		}, "11111222226", 0},
		{"the newest is a symbolic link", func(dir string) error {
			return errors.Join(os.Rename(second.path(dir), second.path(dir)+".mine"), os.Symlink(second.path(dir)+".mine", second.path(dir)))
		}, "11111[5]6", 5},
		{"names with invalid offsets", func(dir string) error {
			var err error
			for _, name := range []string{"-0000000000000000001.000001.log", "9223372036854775807.000001.log", "000000000000000000010.000003.log", "00000000000000000010.9999999999.log"} {
				err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte("xxx"), 0o600))
			}
			return err
		}, "11111222226", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, dir, DefaultRetention)
			for _, text := range []string{"11111", "22222"} {
				boot(t, j)
				write(t, j, text)
			}
			if err := errors.Join(j.Close(), test.damage(dir)); err != nil {
				t.Fatal(err)
			}
			for range 2 { // repairs persist
				j = open(t, dir, DefaultRetention)
				if gaps := j.Gaps(); sum(gaps) != test.lost {
					t.Errorf("gaps %+v, want %d bytes", gaps, test.lost)
				}
				if err := j.Close(); err != nil {
					t.Error(err)
				}
			}
			j = open(t, dir, DefaultRetention)
			write(t, j, "6")
			if text := all(t, j); text != test.want {
				t.Errorf("read %q, want %q", text, test.want)
			}
			if number := j.BootNumber(); number != 2 {
				t.Errorf("boot %d", number)
			}
		})
	}
}

// If there are more gaps than maxGaps, all bytes are counted and the newest gaps are
// listed.
func TestManyGaps(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, DefaultRetention)
	reader := j.NewReader(0)
	defer reader.Close()
	const losses = 3 * maxGaps
	reported := int64(0)
	for range losses {
		j.Lose(7, errors.New("no space"))
		write(t, j, "x")
		var loss *LossError
		if _, err := reader.Read(t.Context(), nil); errors.As(err, &loss) {
			reported += loss.Gap.Bytes
		}
		reads(t, reader, "x")
	}
	for range 2 {
		gaps := j.Gaps()
		if sum(gaps) != 7*losses || reported != 7*losses || len(gaps) != maxGaps || gaps[0].Bytes != 7*(losses-maxGaps+1) {
			t.Errorf("%d bytes in %d gaps, %d reported; the first is %+v", sum(gaps), len(gaps), reported, gaps[0])
		}
		j.Close()
		j = open(t, dir, DefaultRetention)
	}
}

// Open removes useless files of an earlier writer, and no others.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, DefaultRetention)
	write(t, j, "kept")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gaps.new", "boots.new", "00000000000000000009.000009.log.index", "mine.index"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir, DefaultRetention)
	entries, err := os.ReadDir(dir)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	want := []string{"00000000000000000000.000000.log", "00000000000000000000.000000.log.index", "lock", "mine.index"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v, want %q", names, err, want)
	}
}

// Gaps are removed together with the bytes around them, from the file too. A later loss
// is counted normally.
func TestGapsArePruned(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Retention{Bytes: 1 << 20, Boots: 2})
	for range 3 {
		for range maxGaps {
			j.Lose(7, errors.New("no space"))
			write(t, j, "x")
		}
		boot(t, j)
	}
	write(t, j, "x")
	boot(t, j)
	j.Lose(5, errors.New("no space"))
	write(t, j, "x")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, gapsName))
	if gaps := parseGaps(text); err != nil || sum(gaps) != 5 || strings.Count(string(text), "\n") != 1 {
		t.Errorf("%d gaps in the file, %d bytes, %v", len(gaps), sum(gaps), err)
	}
}

// A loss is reported at its place, even if an earlier place has been marked ahead.
func TestLossBeforeAnOverrun(t *testing.T) {
	j := open(t, t.TempDir(), DefaultRetention)
	write(t, j, "abc")
	noteOverrun(j, 2)
	j.Lose(9, errors.New("no space"))
	write(t, j, "defg")
	if text := all(t, j); text != "abc(9)de(0)fg" {
		t.Errorf("read %q", text)
	}
}

// As soon as the limit is exceeded, the oldest segment is removed.
func TestRetentionIsALimit(t *testing.T) {
	retention := Retention{Bytes: 64 << 20, Boots: 10}
	j := open(t, t.TempDir(), retention)
	chunk := make([]byte, 1<<20)
	for range 150 {
		if _, err := j.Write(chunk); err != nil {
			t.Fatal(err)
		}
		if oldest, end := j.Range(); end-oldest > retention.Bytes || end > retention.Bytes && end-oldest < retention.Bytes*3/4 {
			t.Fatalf("%d of %d bytes are kept", end-oldest, end)
		}
	}
}
