package vm

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/spec"
)

// tailBytes is how much of each console's end is kept.
const tailBytes = 64 << 10

// tap reads a copy of what a console prints and keeps its end. It is always
// drained, so that QEMU never waits for it.
type tap struct {
	console spec.Console
	pipe    *os.File

	mu    sync.Mutex
	kept  []byte
	total int64 // bytes ever read
}

func newTap(console spec.Console, pipe *os.File) *tap {
	return &tap{console: console, pipe: pipe}
}

// run reads until QEMU has ended. spoke is called after each read.
func (t *tap) run(spoke func()) error {
	defer t.pipe.Close()
	chunk := make([]byte, 32<<10)
	for {
		n, err := t.pipe.Read(chunk)
		t.keep(chunk[:n])
		if n > 0 {
			spoke()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tap) keep(data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
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

// settleLimit bounds settle on a console that never stops printing.
const settleLimit = 2 * time.Second

// settle waits until what QEMU has written by now has been read, or the limit
// passes.
func (t *tap) settle() {
	for deadline := time.Now().Add(settleLimit); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if t.unread() == 0 {
			return
		}
	}
}

// unread is the number of bytes in the pipe.
func (t *tap) unread() int {
	raw, err := t.pipe.SyscallConn()
	if err != nil {
		return 0
	}
	unread := 0
	err = raw.Control(func(fd uintptr) {
		unread, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ)
	})
	if err != nil {
		return 0
	}
	return unread
}
