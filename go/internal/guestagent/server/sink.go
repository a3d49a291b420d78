package server

import (
	"io"
	"sync"
)

// Limits of the output of commands, in bytes.
const (
	// maxKept bounds what is kept of one stream until the status is requested, as in qemu-ga.
	maxKept = 16 << 20
	// maxKeptTotal bounds what is kept of all streams, since a guest may have little memory.
	maxKeptTotal = 16 << 20
	// maxFlow bounds the buffer of a stream that is read while its command runs.
	maxFlow = 256 << 10
)

// budget counts the bytes of all kept streams.
type budget struct {
	mu   sync.Mutex
	used int
}

// take takes up to n bytes of the budget, and returns how many.
func (b *budget) take(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, maxKeptTotal-b.used)
	b.used += n
	return n
}

func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
}

// kept is a stream of which the beginning is kept.
type kept struct {
	budget    *budget
	mu        sync.Mutex
	data      []byte
	truncated bool
	released  bool // no more is kept
}

// Write implements io.Writer. It never blocks, and drops what exceeds the limits.
func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	if !k.released {
		n = k.budget.take(min(len(p), maxKept-len(k.data)))
	}
	k.data = append(k.data, p[:n]...)
	k.truncated = k.truncated || n < len(p)
	return len(p), nil
}

// release returns what was kept, and gives its bytes back to the budget.
func (k *kept) release() (data []byte, truncated bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.budget.give(len(k.data))
	data, k.data, k.released = k.data, nil, true
	return data, k.truncated
}

// flow is a stream that is read while it is written. Its writer blocks if the buffer is full.
type flow struct {
	mu     sync.Mutex
	data   []byte
	offset int64         // of data[0] in the stream
	closed bool          // it is not read any more
	change chan struct{} // closed, and replaced, at each change
}

func newFlow() *flow { return &flow{change: make(chan struct{})} }

// Write implements io.Writer. It returns io.ErrClosedPipe once the stream is closed.
func (f *flow) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n, change, closed := f.add(p[written:])
		written += n
		switch {
		case closed:
			return written, io.ErrClosedPipe
		case n == 0:
			<-change
		}
	}
	return written, nil
}

// add adds as much of p as fits. change is closed at the next change.
func (f *flow) add(p []byte) (n int, change <-chan struct{}, closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n = min(len(p), maxFlow-len(f.data))
	if n > 0 {
		f.data = append(f.data, p[:n]...)
		f.changed()
	}
	return n, f.change, f.closed
}

// from returns a copy of the buffer from offset, and drops what is before it. An offset outside the
// buffer is replaced by the nearest one inside. change is closed at the next change.
func (f *flow) from(offset int64) (data []byte, change <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := int(min(max(offset-f.offset, 0), int64(len(f.data)))); n > 0 {
		f.data = append([]byte(nil), f.data[n:]...)
		f.offset += int64(n)
		f.changed()
	}
	return append([]byte(nil), f.data...), f.change
}

// close ends a blocked Write.
func (f *flow) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.changed()
}

func (f *flow) changed() {
	close(f.change)
	f.change = make(chan struct{})
}
