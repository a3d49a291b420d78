package journal

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// fill writes segments of 1 MiB.
func fill(t *testing.T, j *Journal, segments int) {
	t.Helper()
	for range segments {
		if _, err := j.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
}

// kept returns the size of the kept part in MiB.
func kept(j *Journal) int64 {
	oldest, end := j.Range()
	return (end - oldest) >> 20
}

// What a reader has to read is kept, up to four times the limit, unless the reader does
// not read for 30 s or the disk is full.
func TestRetentionForReaders(t *testing.T) {
	const limit = idleLimit + time.Second
	some := make([]byte, 100)
	for _, test := range []struct {
		name string
		do   func(t *testing.T, j *Journal, r *Reader)
		want int64 // MiB kept at the end
	}{
		{"unread", func(t *testing.T, j *Journal, _ *Reader) { fill(t, j, 12) }, 12},
		{"four times the limit", func(t *testing.T, j *Journal, _ *Reader) { fill(t, j, 100) }, 16},
		{"already read", func(t *testing.T, j *Journal, r *Reader) {
			fill(t, j, 10)
			r.Skip(8 << 20)
			fill(t, j, 1)
		}, 4},
		{"partly read", func(t *testing.T, j *Journal, r *Reader) {
			fill(t, j, 10)
			r.Skip(3<<20 + 1)
			fill(t, j, 1)
		}, 8},
		{"slow reader", func(t *testing.T, j *Journal, r *Reader) {
			for range 12 {
				fill(t, j, 1)
				if _, err := r.Read(t.Context(), some); err != nil {
					t.Error(err)
				}
				time.Sleep(limit - 2*time.Second)
			}
		}, 12},
		{"idle reader", func(t *testing.T, j *Journal, _ *Reader) {
			fill(t, j, 10)
			time.Sleep(limit)
			fill(t, j, 1)
		}, 4},
		{"reader becomes idle", func(t *testing.T, j *Journal, r *Reader) {
			fill(t, j, 10)
			r.Skip(1)
			fill(t, j, 1)
			time.Sleep(limit)
			fill(t, j, 1)
			time.Sleep(limit)
			fill(t, j, 1)
		}, 4},
		{"idle reader resumes", func(t *testing.T, j *Journal, r *Reader) {
			time.Sleep(limit)
			fill(t, j, 3)
			time.Sleep(limit)
			r.Skip(1)
			fill(t, j, 5)
		}, 8},
		{"output begins late", func(t *testing.T, j *Journal, _ *Reader) {
			time.Sleep(time.Hour)
			fill(t, j, 10)
		}, 10},
		{"output pauses", func(t *testing.T, j *Journal, r *Reader) {
			fill(t, j, 3)
			r.Skip(3 << 20)
			fill(t, j, 1)
			r.Skip(1 << 20)
			time.Sleep(time.Hour)
			fill(t, j, 10)
		}, 10},
		{"reader closed", func(t *testing.T, j *Journal, r *Reader) {
			fill(t, j, 10)
			r.Close()
		}, 4},
		{"full disk", func(t *testing.T, j *Journal, _ *Reader) {
			fill(t, j, 10)
			if err := j.retry(unix.ENOSPC); err != nil {
				t.Error(err)
			}
		}, 9},
		{"one boot too many", func(t *testing.T, j *Journal, r *Reader) {
			for range 5 {
				boot(t, j)
				write(t, j, "x")
			}
			fill(t, j, 1)
			if boots := j.store.segments.printed(); boots != 5 {
				t.Errorf("%d boots are kept, want 5", boots)
			}
			r.Skip(4)
			write(t, j, "x")
			if boots := j.store.segments.printed(); boots != 2 {
				t.Errorf("%d boots are kept after the reader has advanced, want 2", boots)
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

// Another process may write a closed journal, so closing a reader then removes nothing.
func TestCloseReaderOfAClosedJournal(t *testing.T) {
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
