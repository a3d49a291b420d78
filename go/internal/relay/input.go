package relay

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
)

// inputWhole is how many bytes of one client reach the guest without another's
// in between: what a pipe takes at once (pipe(7), PIPE_BUF).
const inputWhole = 4096

// inputQueue is how many writes may wait for the guest. Then the writers wait.
const inputQueue = 16

// input is what clients type, on its way to the guest. It waits for the guest
// as long as it takes, and nobody else waits for it.
type input struct {
	fifo    *os.File
	queue   chan []byte
	done    chan struct{}
	closed  sync.Once
	waiting atomic.Int64 // bytes in the queue
}

func newInput(fifo *os.File) *input {
	return &input{fifo: fifo, queue: make(chan []byte, inputQueue), done: make(chan struct{})}
}

// run hands the queue on until close.
func (i *input) run() error {
	for {
		select {
		case <-i.done:
			return nil
		case data := <-i.queue:
			_, err := i.fifo.Write(data)
			i.waiting.Add(-int64(len(data)))
			if errors.Is(err, os.ErrClosed) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
}

// write queues data, of at most inputWhole bytes, and keeps it. It waits while
// the queue is full; os.ErrClosed tells that the machine has ended.
func (i *input) write(data []byte) error {
	i.waiting.Add(int64(len(data)))
	select {
	case i.queue <- data:
		return nil
	case <-i.done:
		return os.ErrClosed
	}
}

// close ends run, and drops what the guest has not read.
func (i *input) close() {
	i.closed.Do(func() {
		close(i.done)
		i.fifo.Close()
	})
}
