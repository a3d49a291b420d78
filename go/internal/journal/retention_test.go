package journal

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// fill writes so many segments of 1 MiB.
func fill(t *testing.T, j *Journal, segments int) {
	t.Helper()
	for range segments {
		if _, err := j.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
}

// kept returns how many MiB are kept.
func kept(j *Journal) int64 {
	oldest, end := j.Range()
	return (end - oldest) >> 20
}

// Retention waits for readers, up to four times as much, unless they read nothing for 30 s
// or the disk is full.
func TestReadersAreNotCutOff(t *testing.T) {
	const limit = idleLimit + time.Second
	some := make([]byte, 100)
	for _, test := range []struct {
		name string
		do   func(t *testing.T, j *Journal, r *Reader)
		want int64 // MiB that are kept behind what do has printed
	}{
		{"what it has not read", func(t *testing.T, j *Journal, _ *Reader) { fill(t, j, 12) }, 12},
		{"four times as much", func(t *testing.T, j *Journal, _ *Reader) { fill(t, j, 100) }, 16},
		{"what it has read", func(t *testing.T, j *Journal, r *Reader) {
			fill(t, j, 10)
			r.Skip(8 << 20)
			fill(t, j, 1)
		}, 4},
		{"a part of what it has not read", func(t *testing.T, j *Journal, r *Reader) {
			fill(t, j, 10)
			r.Skip(3<<20 + 1)
			fill(t, j, 1)
		}, 8},
		{"it reads slowly", func(t *testing.T, j *Journal, r *Reader) {
			for range 12 {
				fill(t, j, 1)
				if _, err := r.Read(t.Context(), some); err != nil {
					t.Error(err)
				}
				time.Sleep(limit - 2*time.Second)
			}
		}, 12},
		{"it reads nothing", func(t *testing.T, j *Journal, _ *Reader) {
			fill(t, j, 10)
			time.Sleep(limit)
			fill(t, j, 1)
		}, 4},
		{"it begins to read nothing", func(t *testing.T, j *Journal, r *Reader) {
			fill(t, j, 10)
			r.Skip(1)
			fill(t, j, 1)
			time.Sleep(limit)
			fill(t, j, 1)
			time.Sleep(limit)
			fill(t, j, 1)
		}, 4},
		{"it reads again", func(t *testing.T, j *Journal, r *Reader) {
			time.Sleep(limit)
			fill(t, j, 3)
			time.Sleep(limit)
			r.Skip(1)
			fill(t, j, 5)
		}, 8},
		{"the guest begins late", func(t *testing.T, j *Journal, r *Reader) {
			time.Sleep(time.Hour)
			fill(t, j, 10)
		}, 10},
		{"the guest was silent", func(t *testing.T, j *Journal, r *Reader) {
			fill(t, j, 3)
			r.Skip(3 << 20)
			fill(t, j, 1)
			r.Skip(1 << 20)
			time.Sleep(time.Hour)
			fill(t, j, 10)
		}, 10},
		{"it has left", func(t *testing.T, j *Journal, r *Reader) {
			fill(t, j, 10)
			r.Close()
		}, 4},
		{"the disk is full", func(t *testing.T, j *Journal, r *Reader) {
			fill(t, j, 10)
			if err := j.retry(unix.ENOSPC); err != nil {
				t.Error(err)
			}
		}, 9},
		{"a boot that is one too many", func(t *testing.T, j *Journal, r *Reader) {
			for range 5 {
				boot(t, j)
				write(t, j, "x")
			}
			fill(t, j, 1)
			if boots := j.store.segments.printed(); boots != 5 {
				t.Errorf("%d boots are kept", boots)
			}
			r.Skip(4)
			write(t, j, "x")
			if boots := j.store.segments.printed(); boots != 2 {
				t.Errorf("%d boots are kept behind the reader", boots)
			}
		}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := open(t, t.TempDir(), Retention{Bytes: 4 << 20, Boots: 2})
				reader := j.NewReader(0)
				defer reader.Close()
				test.do(t, j, reader)
				if kept := kept(j); kept != test.want {
					t.Errorf("%d MiB are kept, want %d", kept, test.want)
				}
			})
		})
	}
}

// A journal that is closed may be another process's: a reader that leaves removes nothing.
func TestReaderLeavesAClosedJournal(t *testing.T) {
	j := open(t, t.TempDir(), Retention{Bytes: 4 << 20, Boots: 2})
	reader := j.NewReader(0)
	fill(t, j, 10)
	if err := errors.Join(j.Close(), reader.Close()); err != nil {
		t.Error(err)
	}
	segments, _, err := list(j.Dir())
	if err != nil || segments[0].start != 0 {
		t.Errorf("%v, %v", segments, err)
	}
}
