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

// inputWhole is the largest write that reaches the guest without another client's bytes
// in between (pipe(7), PIPE_BUF).
const inputWhole = 4096

// inputQueue is how many writes may be queued for the guest. Further writers block.
const inputQueue = 16

// input carries what clients type to the guest. Queued writes wait for the guest without
// a time limit.
type input struct {
	fifo    *os.File
	dropped bool // the device only prints: discard all input
	queue   chan typed
	ended   context.Context
	end     context.CancelFunc
	waiting atomic.Int64 // bytes in the queue

	mu      sync.Mutex // held while the FIFO is written or emptied
	flushes int        // number of calls to flush
	typed   bool       // the FIFO may hold bytes typed by a client
}

// typed is the data of one write.
type typed struct {
	data    []byte
	flushes int // the input's, when the data was typed
}

func newInput(fifo *os.File, dropped bool) *input {
	i := &input{fifo: fifo, dropped: dropped, queue: make(chan typed, inputQueue)}
	i.ended, i.end = context.WithCancel(context.Background())
	return i
}

// run delivers queued writes until close is called.
func (i *input) run() error {
	raw, err := i.fifo.SyscallConn()
	if err != nil {
		return nil //nolint:nilerr // closed
	}
	for {
		select {
		case <-i.ended.Done():
			return nil
		case piece := <-i.queue:
			var failed error
			err := raw.Write(func(fd uintptr) bool {
				failed = i.deliver(int(fd), piece)
				return !errors.Is(failed, unix.EAGAIN) // wait while the pipe is full
			})
			i.waiting.Add(-int64(len(piece.data)))
			if err != nil {
				return nil //nolint:nilerr // closed
			}
			if failed != nil {
				return os.NewSyscallError("write", failed)
			}
		}
	}
}

// deliver writes a piece in one write(2). It discards a piece that was typed before the
// last flush.
func (i *input) deliver(fd int, piece typed) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if piece.flushes != i.flushes {
		return nil
	}
	i.typed = true
	_, err := unix.Write(fd, piece.data)
	return err
}

// write delivers up to inputWhole bytes. If the guest is not reading, it queues them;
// they reach the guest even if the client disconnects. If the queue is full, it blocks.
// It returns os.ErrClosed once the VM has ended, or when closed is closed.
func (i *input) write(data []byte, closed <-chan struct{}) error {
	if i.dropped {
		return nil
	}
	i.mu.Lock()
	piece := typed{data, i.flushes}
	i.mu.Unlock()
	if i.waiting.Load() == 0 { // no earlier write is queued
		err := descriptor.Control(i.fifo, func(fd int) error { return i.deliver(fd, piece) })
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

// unread returns the number of bytes that wait for the guest.
func (i *input) unread() int { return int(i.waiting.Load()) + descriptor.Unread(i.fifo) }

// answer sends the relay's own answer to a terminal query. It drops the answer if the
// guest has not read all that clients typed, because the guest would take the answer for
// typed text, or if the FIFO is full.
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

// flush discards input that the guest has not read.
func (i *input) flush() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.flushes++
	return descriptor.Drain(i.fifo)
}

// close stops run and discards input that the guest has not read.
func (i *input) close() {
	i.end()
	i.fifo.Close()
}
