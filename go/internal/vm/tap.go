package vm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/spec"
)

// tailBytes is how much of each console's end is kept.
const tailBytes = 64 << 10

// tap reads what a console prints and keeps its end, so that the machine's
// owner can tell what happened last.
type tap struct {
	console spec.Console
	take    func(chunk []byte) (int, error) // reads and keeps; io.EOF when QEMU has ended
	written func() int64                    // bytes that QEMU has written by now
	close   func()
	// restarted is how much the guest had printed when it restarted last.
	restarted atomic.Int64

	mu    sync.Mutex
	kept  []byte
	total int64     // bytes ever read, or passed over
	last  time.Time // when bytes were read last
}

// pipeTap reads the copy that QEMU writes to a pipe. It is always drained, so
// that QEMU never waits for it.
func pipeTap(console spec.Console, pipe *os.File) *tap {
	t := &tap{console: console, close: func() { pipe.Close() }}
	t.take = func(chunk []byte) (n int, err error) {
		raw, err := pipe.SyscallConn()
		if err != nil {
			return 0, err
		}
		ended := raw.Read(func(fd uintptr) bool {
			// Under the lock: a byte is in the pipe or kept, for who looks.
			t.mu.Lock()
			defer t.mu.Unlock()
			n, err = unix.Read(int(fd), chunk)
			t.keep(chunk[:max(0, n)])
			return !errors.Is(err, unix.EAGAIN)
		})
		switch {
		case errors.Is(err, unix.EINTR):
			return 0, nil
		case ended == nil && err == nil && n == 0:
			return 0, io.EOF
		}
		return n, errors.Join(ended, err)
	}
	t.written = func() int64 {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.total + int64(descriptor.Unread(pipe))
	}
	return t
}

// relayTap reads the journal of a relay, from this boot's first byte.
func relayTap(console spec.Console, r *relay.Relay) *tap {
	start := r.BootStart()
	reader := r.Journal().NewReader(start)
	t := &tap{console: console, close: func() { reader.Close() }}
	t.take = func(chunk []byte) (int, error) {
		n, err := reader.Read(context.Background(), chunk)
		t.mu.Lock()
		t.keep(chunk[:n])
		t.total = reader.Offset() - start // also where some are no longer kept
		t.mu.Unlock()
		switch {
		case errors.Is(err, journal.ErrClosed):
			err = io.EOF
		case journal.Missing(err):
			err = nil // what is kept of the end is enough
		}
		return n, err
	}
	t.written = func() int64 {
		return r.Printed() - start
	}
	return t
}

// run reads until QEMU has ended. heard is called with what each read has
// brought.
func (t *tap) run(heard func([]byte)) error {
	defer t.close()
	chunk := make([]byte, 32<<10)
	for {
		n, err := t.take(chunk)
		if n > 0 {
			heard(chunk[:n])
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// keep keeps data. The caller holds the lock.
func (t *tap) keep(data []byte) {
	if len(data) == 0 {
		return
	}
	t.last = time.Now()
	t.total += int64(len(data))
	t.kept = append(t.kept, data...)
	if len(t.kept) > 2*tailBytes {
		t.kept = bytes.Clone(t.kept[len(t.kept)-tailBytes:])
	}
}

// tail returns a copy of the end of what the console printed, and how many
// bytes it printed in all.
func (t *tap) tail() (kept []byte, total int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.kept), t.total
}

// lastPrinted returns when the console's last bytes were read.
func (t *tap) lastPrinted() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// settleLimit bounds settle on a host that is very busy.
const settleLimit = 30 * time.Second

// settle waits until what QEMU has written by now has been read, or the limit
// passes.
func (t *tap) settle() {
	written := t.written()
	for deadline := time.Now().Add(settleLimit); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, read := t.tail(); read >= written {
			return
		}
	}
}
