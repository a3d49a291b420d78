package relay

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
)

// inputWhole is how many bytes of one client reach the guest without another's
// in between: what a pipe takes at once (pipe(7), PIPE_BUF).
const inputWhole = 4096

// inputQueue is how many writes may wait for the guest. Then the writers wait.
const inputQueue = 16

// input is what clients type, on its way to the guest. What is in the queue waits for
// the guest as long as it takes.
type input struct {
	fifo    *os.File
	dropped bool // the device only prints: nothing is handed on
	queue   chan typed
	ended   context.Context
	end     context.CancelFunc
	waiting atomic.Int64 // bytes in the queue

	mu    sync.Mutex // held while the FIFO is written to or emptied
	age   int        // how often it was emptied
	typed bool       // what a client typed may be in the FIFO
}

// typed is what one client typed at once.
type typed struct {
	data []byte
	age  int // of the input, then
}

func newInput(fifo *os.File, dropped bool) *input {
	i := &input{fifo: fifo, dropped: dropped, queue: make(chan typed, inputQueue)}
	i.ended, i.end = context.WithCancel(context.Background())
	return i
}

// run hands the queue on until close.
func (i *input) run() error {
	raw, err := i.fifo.SyscallConn()
	if err != nil {
		return nil //nolint:nilerr // it has been closed
	}
	for {
		select {
		case <-i.ended.Done():
			return nil
		case piece := <-i.queue:
			var failed error
			err := raw.Write(func(fd uintptr) bool {
				failed = i.hand(int(fd), piece)
				return !errors.Is(failed, unix.EAGAIN) // a full pipe is waited for
			})
			i.waiting.Add(-int64(len(piece.data)))
			if err != nil {
				return nil //nolint:nilerr // it has been closed
			}
			if failed != nil {
				return os.NewSyscallError("write", failed)
			}
		}
	}
}

// hand writes a piece whole, unless it is older than the last flush.
func (i *input) hand(fd int, piece typed) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if piece.age != i.age {
		return nil
	}
	i.typed = true
	_, err := unix.Write(fd, piece.data)
	return err
}

// write hands data on, of at most inputWhole bytes. While the guest does not read, it puts
// them into the queue, from where they reach the guest even if the client leaves. While the
// queue is full it waits. It returns os.ErrClosed once the machine has ended, or if closed
// is closed meanwhile.
func (i *input) write(data []byte, closed <-chan struct{}) error {
	if i.dropped {
		return nil
	}
	i.mu.Lock()
	piece := typed{data, i.age}
	i.mu.Unlock()
	if i.waiting.Load() == 0 { // nothing that came before is behind
		err := descriptor.Control(i.fifo, func(fd int) error { return i.hand(fd, piece) })
		if !errors.Is(err, unix.EAGAIN) {
			return err
		}
	}
	i.waiting.Add(int64(len(data)))
	select {
	case i.queue <- piece:
		return nil
	case <-i.ended.Done():
	case <-closed:
	}
	i.waiting.Add(-int64(len(data)))
	return os.ErrClosed
}

// answer hands on what the relay itself answers. It drops that where the guest has
// not read yet what a client typed, or the FIFO is full: behind something typed, an
// answer would be taken for something typed too.
func (i *input) answer(data []byte) {
	_ = descriptor.Control(i.fifo, func(fd int) error {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.typed = i.typed && descriptor.Unread(i.fifo) > 0; i.typed || i.waiting.Load() > 0 {
			return nil
		}
		_, err := unix.Write(fd, data)
		return err
	})
}

// flush drops all that was typed and that no guest has read.
func (i *input) flush() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.age++
	return descriptor.Drain(i.fifo)
}

// close ends run, and drops what the guest has not read.
func (i *input) close() {
	i.end()
	i.fifo.Close()
}
