package rundir

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// TestStorm has several goroutines acquire and release one machine, while others call
// Running. The machine never has two owners, an owner's files are not changed by others,
// and the only error is ErrLocked.
func TestStorm(t *testing.T) {
	base(t)
	m := Of("m")
	const owners, turns = 6, 50
	repeat(t, 2, func() {
		if _, err := Running(); err != nil {
			t.Error(err)
		}
	})
	var group sync.WaitGroup
	var owner atomic.Int64 // 0 if none
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
				err = checkFiles(m, me)
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

// repeat calls f repeatedly from n goroutines until the test ends.
func repeat(t *testing.T, n int, f func()) {
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
					f()
				}
			}
		})
	}
	t.Cleanup(func() {
		close(done)
		group.Wait()
	})
}

// checkFiles writes an owner's files and reads them again.
func checkFiles(m Machine, me int64) error {
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

// TestLockedDoesNotInterfere has one owner acquire and release a machine while others
// call Locked. Acquire never fails.
func TestLockedDoesNotInterfere(t *testing.T) {
	base(t)
	m := Of("m")
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	repeat(t, 4, func() { m.Locked() })
	for range 200 {
		release(t, acquire(t, m))
	}
}
