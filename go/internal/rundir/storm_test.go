package rundir

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// TestStorm has several goroutines take and leave one machine, while others ask
// who runs. The machine never has two owners, an owner's files are its own, and
// nobody gets an error but that there is an owner.
func TestStorm(t *testing.T) {
	base(t)
	m := Of("m")
	const owners, turns = 6, 50
	ask(t, 2, func() {
		if _, err := Running(); err != nil {
			t.Error(err)
		}
	})
	var group sync.WaitGroup
	var owner atomic.Int64 // 0: nobody
	for me := range int64(owners) {
		group.Go(func() {
			for turn := 0; turn < turns; {
				lock, err := m.Acquire()
				if errors.Is(err, ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if other := owner.Swap(me + 1); other != 0 {
					t.Errorf("two owners: %d and %d", other, me+1)
				}
				err = keepHouse(m, me)
				owner.Store(0)
				if err := errors.Join(err, lock.Release()); err != nil {
					t.Error(err)
				}
				turn++
			}
		})
	}
	group.Wait()
}

// ask calls question over and over from n goroutines until the test ends.
func ask(t *testing.T, n int, question func()) {
	t.Helper()
	done := make(chan struct{})
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					question()
				}
			}
		})
	}
	t.Cleanup(func() {
		close(done)
		group.Wait()
	})
}

// keepHouse writes an owner's files, and finds them again.
func keepHouse(m Machine, me int64) error {
	mine := fmt.Sprint(me)
	for _, path := range []string{m.State(), m.Ctl()} {
		if err := os.WriteFile(path, []byte(mine), 0o600); err != nil {
			return err
		}
	}
	for _, path := range []string{m.State(), m.Ctl()} {
		if data, err := os.ReadFile(path); err != nil || string(data) != mine {
			return fmt.Errorf("%s holds %q, want %q (%w)", path, data, mine, err)
		}
	}
	return nil
}

// TestAQuestionIsNoOwner has one owner come and go while others ask: it is
// never refused.
func TestAQuestionIsNoOwner(t *testing.T) {
	base(t)
	m := Of("m")
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	ask(t, 4, func() { m.Locked() })
	for range 200 {
		release(t, acquire(t, m))
	}
}
