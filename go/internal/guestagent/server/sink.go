package server

import (
	"io"
	"sync"
)

// Limits of what commands print, in bytes.
const (
	// keptMost is what is kept of one stream until its command's status is
	// asked for; qemu-ga keeps as much.
	keptMost = 16 << 20
	// keptTotal is what is kept of all of them: a guest may be small.
	keptTotal = 16 << 20
	// flowMost is what waits of a stream that is read while its command runs.
	flowMost = 256 << 10
)

// budget is what all kept streams may still take, in bytes.
type budget struct {
	mu   sync.Mutex
	used int
}

// take grants as much of n as there is left.
func (b *budget) take(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, keptTotal-b.used)
	b.used += n
	return n
}

func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
}

// kept is a stream that is kept as far as there is room.
type kept struct {
	budget    *budget
	mu        sync.Mutex
	data      []byte
	truncated bool
	released  bool // nobody will ask
}

// Write implements io.Writer. It takes everything: a command must not wait.
func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	if !k.released {
		n = k.budget.take(min(len(p), keptMost-len(k.data)))
	}
	k.data = append(k.data, p[:n]...)
	k.truncated = k.truncated || n < len(p)
	return len(p), nil
}

// release gives the room back, and returns what was kept.
func (k *kept) release() (data []byte, truncated bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.budget.give(len(k.data))
	data, k.data, k.released = k.data, nil, true
	return data, k.truncated
}

// flow is a stream that is read while it is written. Its writer waits for the
// reader.
type flow struct {
	mu     sync.Mutex
	data   []byte
	offset int64         // of data[0] in the stream
	closed bool          // nobody reads any more
	change chan struct{} // closed, and replaced, at each change
}

func newFlow() *flow { return &flow{change: make(chan struct{})} }

// Write implements io.Writer. It ends early when the stream is closed.
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

// add adds as much of p as there is room for. change tells of the next change.
func (f *flow) add(p []byte) (n int, change <-chan struct{}, closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n = min(len(p), flowMost-len(f.data))
	if n > 0 {
		f.data = append(f.data, p[:n]...)
		f.changed()
	}
	return n, f.change, f.closed
}

// from returns a copy of what stands beyond offset, and forgets what stands
// before it. An offset that is not in the stream is the nearest that is. change
// tells of the next change.
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

// close ends the writer's wait.
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
