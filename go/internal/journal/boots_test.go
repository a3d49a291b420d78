package journal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// snapshotOf returns a snapshot of a journal.
func snapshotOf(t *testing.T, dir string) *Snapshot {
	t.Helper()
	snapshot, err := TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func TestBoots(t *testing.T) {
	dir := t.TempDir()
	before := time.Now()
	j := open(t, dir, DefaultRetention)
	j.EndBoot("before the first boot")
	j.NoteRestart()
	j.NoteReady("before the first boot")
	write(t, j, "zero")
	boot(t, j)
	write(t, j, "one")
	j.NoteReady("login on \x1b[m")
	j.NoteReady("agent")
	j.NoteRestart()
	write(t, j, "again")
	j.EndBoot("powered off")
	j.EndBoot("QEMU ended")
	boot(t, j) // prints nothing
	j.EndBoot("did not start")
	boot(t, j)
	write(t, j, "three") // the writer is killed
	j.Close()
	j = open(t, dir, DefaultRetention)
	boot(t, j)
	boots := snapshotOf(t, dir).Boots()
	after := time.Now()
	for i, want := range []Boot{
		{Number: 0, Start: 0, End: 4},
		{Number: 1, Start: 4, End: 12, How: "powered off", ReadyBy: "login on ?[m", Restarts: []Restart{{Offset: 7}}},
		{Number: 3, Start: 12, End: 17},
		{Number: 4, Start: 17, End: 17},
	} {
		if i >= len(boots) {
			t.Fatalf("%d boots", len(boots))
		}
		got := boots[i]
		between := func(at time.Time) bool { return at.After(before) && at.Before(after) }
		if between(got.Started) != (want.Number > 0) || between(got.Ended) != (want.How != "") || between(got.Ready) != (want.ReadyBy != "") || between(got.Last) != (want.End > want.Start) {
			t.Errorf("wrong times: %+v", got)
		}
		if got.Number != want.Number || got.Start != want.Start || got.End != want.End || got.How != want.How || got.ReadyBy != want.ReadyBy || len(got.Restarts) != len(want.Restarts) {
			t.Errorf("%+v, want %+v", got, want)
			continue
		}
		for k, restart := range got.Restarts {
			if restart.Offset != want.Restarts[k].Offset || !between(restart.Time) {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
	}
	if len(boots) != 4 {
		t.Errorf("%d boots", len(boots))
	}
}

func TestWritten(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, DefaultRetention)
	if !snapshotOf(t, dir).Written() {
		t.Error("Written is false with a writer")
	}
	j.Close()
	if snapshotOf(t, dir).Written() {
		t.Error("Written is true after Close")
	}
}

// A process that checks for a writer does not prevent Open.
func TestOpenDuringACheckForAWriter(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, DefaultRetention).Close()
	lock, err := os.Open(filepath.Join(dir, lockName))
	if err == nil {
		err = flock(lock, unix.LOCK_SH)
	}
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, func() { lock.Close() })
	open(t, dir, DefaultRetention)
}

// Boots that print nothing leave no file, and do not count for the retention.
func TestEmptyBoots(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Retention{Bytes: 1 << 30, Boots: 2})
	for _, text := range []string{"one", "two"} {
		boot(t, j)
		write(t, j, text)
	}
	for range 20 {
		boot(t, j)
	}
	segments, _, err := list(dir)
	if err != nil || len(segments) != 3 || j.BootNumber() != 22 || len(j.store.boots.boots) != 3 {
		t.Errorf("%v, %v, boot %d, recorded %+v", segments, err, j.BootNumber(), j.store.boots.boots)
	}
	for back, want := range map[int][2]int64{0: {6, 6}, -1: {3, 6}, -2: {0, 3}} {
		if start, end, err := j.BootRange(back); err != nil || start != want[0] || end != want[1] {
			t.Errorf("boot %d is from %d to %d, %v, want %v", back, start, end, err, want)
		}
	}
	write(t, j, "three")
	if text := all(t, j); text != "[3]twothree" {
		t.Errorf("read %q", text)
	}
	boot(t, j)
	j.Close()
	records, err := os.ReadFile(filepath.Join(dir, bootsName))
	if boots := parseBoots(records); err != nil || len(boots) != 3 || boots[0].Number != 2 {
		t.Errorf("recorded %+v, %v", boots, err)
	}
	// Files of empty boots that an earlier version has left.
	if err := os.WriteFile(segment{start: 3, boot: 1}.path(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir, Retention{Bytes: 1 << 30, Boots: 2})
	if found, _, err := list(dir); err != nil || len(found) != 3 || j.BootNumber() != 23 {
		t.Errorf("%v, %v, boot %d", found, err, j.BootNumber())
	}
}

// The stream does not depend on the boots file: damage costs only what was recorded.
func TestDamagedBoots(t *testing.T) {
	record := func(dir string) string { return filepath.Join(dir, bootsName) }
	for _, test := range []struct {
		name   string
		damage func(path string) error
		how    []string
	}{
		{"nothing", func(string) error { return nil }, []string{"first", "second"}},
		{"removed", os.Remove, []string{"", ""}},
		{"an incomplete line", func(path string) error {
			return writeFile(path, os.O_APPEND, []byte("\n{\"number\":2,\"how\":\"torn"))
		}, []string{"first", "second"}},
		{"foreign lines", func(path string) error {
			return writeFile(path, os.O_APPEND, []byte("\nfoo\n{\"number\":-1}\n{\"number\":9,\"how\":\"x\"}\n[]\n"))
		}, []string{"first", "second"}},
		{"control characters", func(path string) error {
			return writeFile(path, os.O_APPEND, []byte("\n{\"number\":1,\"how\":\"\\u001b[2J\"}\n"))
		}, []string{"?[2J", "second"}},
		{"a folder", func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, []string{"", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, dir, DefaultRetention)
			for _, text := range []string{"first", "second"} {
				boot(t, j)
				write(t, j, text)
				j.EndBoot(text)
			}
			if err := errors.Join(j.Close(), test.damage(record(dir))); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				j := open(t, dir, DefaultRetention)
				if recorded := j.store.boots.boots; len(recorded) > 2 {
					t.Errorf("recorded %+v", recorded)
				}
				var how []string
				for _, boot := range snapshotOf(t, dir).Boots() {
					how = append(how, boot.How)
				}
				if text := all(t, j); text != "firstsecond" || !slices.Equal(how, test.how) {
					t.Errorf("read %q; ended %q, want %q", text, how, test.how)
				}
				j.Close()
			}
			j = open(t, dir, DefaultRetention)
			boot(t, j)
			j.EndBoot("third")
			if boot, err := snapshotOf(t, dir).Boot(0); err != nil || boot.How != "third" {
				t.Errorf("%+v, %v", boot, err)
			}
		})
	}
}

// A guest that restarts all the time has a record of limited size.
func TestManyRestarts(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, DefaultRetention)
	boot(t, j)
	const restarts = 1500
	for range restarts {
		write(t, j, "x")
		j.NoteRestart()
	}
	last, err := snapshotOf(t, dir).Boot(0)
	if err != nil || len(last.Restarts) != maxRestarts || last.Restarts[maxRestarts-1].Offset != restarts {
		t.Errorf("%d restarts, %v", len(last.Restarts), err)
	}
	text, err := os.ReadFile(filepath.Join(dir, bootsName))
	if lines := strings.Count(string(text), "\n"); err != nil || lines > 1000 {
		t.Errorf("%d lines, %v", lines, err)
	}
}

func FuzzBoots(f *testing.F) {
	f.Add([]byte(`{"number":1,"started":"2026-11-27T00:00:00Z","ended":"2026-11-27T00:01:00Z","how":"powered off","restarts":[{"offset":7,"time":"2026-11-27T00:00:30Z"}]}`))
	f.Add([]byte("{\"number\":2}\n\n{\"number\":1,\"how\":\"\\u001b[2J\"}\n{\"number\":2,\"how\":\"x\"}\n{\"number\":-1}\n{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		boots := parseBoots(text)
		for i, boot := range boots {
			if boot.Number < 1 || i > 0 && boots[i-1].Number >= boot.Number || len(boot.Restarts) > maxRestarts {
				t.Errorf("boot %d is %+v", i, boot)
			}
			if strings.ContainsFunc(boot.How, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("control characters in %q", boot.How)
			}
		}
		log := bootLog{boots: boots, file: lineFile[bootRecord]{path: filepath.Join(t.TempDir(), bootsName), stale: true}}
		if err := log.file.save(log.boots); err != nil {
			t.Fatal(err)
		}
		again, err := log.file.read()
		if kept := parseBoots(again); err != nil || len(kept) > len(boots) {
			t.Errorf("wrote %+v, read %+v, %v", boots, kept, err)
		}
	})
}
