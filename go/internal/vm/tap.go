package vm

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/vmconfig"
)

// tap reads what a console prints.
type tap struct {
	console vmconfig.Console
	// take reads, and returns how much the console has printed up to what it has read;
	// io.EOF if QEMU has ended.
	take    func(chunk []byte) (n int, end int64, err error)
	written func() int64 // how much QEMU has written by now
	close   func()
}

// pipeTap reads the copy that QEMU writes to a pipe. It is always drained, so
// that QEMU never waits for it.
func pipeTap(console vmconfig.Console, pipe *os.File) *tap {
	var mu sync.Mutex
	total := int64(0) // bytes that were in the pipe, and were read
	t := &tap{console: console, close: func() { pipe.Close() }}
	t.take = func(chunk []byte) (n int, end int64, err error) {
		raw, err := pipe.SyscallConn()
		if err != nil {
			return 0, 0, err
		}
		ended := raw.Read(func(fd uintptr) bool {
			mu.Lock() // a byte is in the pipe, or in total
			defer mu.Unlock()
			n, err = unix.Read(int(fd), chunk)
			total += int64(max(0, n))
			end = total
			return !errors.Is(err, unix.EAGAIN)
		})
		switch {
		case errors.Is(err, unix.EINTR):
			return 0, end, nil
		case ended == nil && err == nil && n == 0:
			return 0, end, io.EOF
		}
		return max(0, n), end, errors.Join(ended, err)
	}
	t.written = func() int64 {
		mu.Lock()
		defer mu.Unlock()
		return total + int64(descriptor.Unread(pipe))
	}
	return t
}

// relayTap reads the journal of a relay, from this boot's first byte.
func relayTap(console vmconfig.Console, r *relay.Relay) *tap {
	start := r.BootStart()
	reader := r.Journal().NewReader(start)
	t := &tap{console: console, close: func() { reader.Close() }}
	t.take = func(chunk []byte) (n int, end int64, err error) {
		n, err = reader.Read(context.Background(), chunk)
		switch {
		case errors.Is(err, journal.ErrClosed):
			err = io.EOF
		case journal.Missing(err):
			err = nil // what is kept of the end is enough
		}
		return n, reader.Offset() - start, err
	}
	t.written = func() int64 { return r.Printed() - start }
	return t
}

// run reads until QEMU has ended. printed is called with what each read has brought, and
// how much the console has printed up to there.
func (t *tap) run(printed func(data []byte, end int64)) error {
	defer t.close()
	chunk := make([]byte, 32<<10)
	for {
		n, end, err := t.take(chunk)
		printed(chunk[:n], end)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// written returns how much QEMU has written to each console by now.
func (v *VM) written() []int64 {
	written := make([]int64, len(v.qemu.taps))
	for i, tap := range v.qemu.taps {
		written[i] = tap.written()
	}
	return written
}

// readLimit bounds awaitRead on a host that is very busy.
const readLimit = 30 * time.Second

// awaitRead waits until the guest's state takes into account what the consoles have
// printed by now.
func (v *VM) awaitRead() { v.guest.AwaitRead(v.written(), readLimit) }
