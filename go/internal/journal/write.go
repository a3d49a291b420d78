package journal

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Write appends data and returns how much of it is kept. A writer that is killed between
// reading and writing loses what it had read; see Take.
func (j *Journal) Write(data []byte) (int, error) {
	j.writing.Lock()
	defer j.writing.Unlock()
	return j.write(data)
}

// write is Write. The caller holds the lock of the writer.
func (j *Journal) write(data []byte) (int, error) {
	written := 0
	for written < len(data) {
		at, room, err := j.place()
		if err != nil {
			return written, err
		}
		n, err := j.head.write(data[written:min(len(data), written+room)], at)
		written += n
		j.grown(n)
		if err := j.retry(err); err != nil {
			return written, err
		}
	}
	return written, nil
}

// Take takes what is in a pipe that does not block, or a part of it, to the end of the
// stream, and returns how many bytes it has taken; io.EOF if the pipe is empty. The kernel
// moves the pages: there is no moment at which a byte is in neither of the two, so that a
// writer that is killed loses nothing. On a file system without splice(2) the bytes are
// read and written; see Exact. Bytes that cannot be kept are dropped and become a gap:
// what prints into the pipe must not wait.
//
// overrun is for a pipe into which a printer that finds it full does not write: if it is
// full, bytes may be missing behind what it holds, and that is a gap with overrun as the
// cause. "" if the printer waits.
func (j *Journal) Take(pipe int, overrun string) (int, error) {
	j.writing.Lock()
	defer j.writing.Unlock()
	if !j.copies.Load() {
		n, err := j.splice(pipe, overrun)
		if err == nil || errors.Is(err, io.EOF) || errors.Is(err, ErrClosed) {
			return n, err
		}
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			j.copies.Store(true)
		}
	}
	return j.copy(pipe, overrun)
}

// splice is Take by splice(2).
func (j *Journal) splice(pipe int, overrun string) (int, error) {
	for {
		at, room, err := j.place()
		if err != nil {
			return 0, err
		}
		j.noteFull(pipe, overrun)
		n, err := j.head.splice(pipe, at, room)
		if err == nil {
			j.grown(n)
			return n, nil
		}
		if err := j.retry(err); err != nil {
			return 0, err
		}
	}
}

// copy is Take through memory.
func (j *Journal) copy(pipe int, overrun string) (int, error) {
	data := make([]byte, 64<<10)
	j.noteFull(pipe, overrun)
	n, err := unix.Read(pipe, data)
	switch {
	case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
		return 0, io.EOF
	case errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	}
	written, err := j.write(data[:n])
	if errors.Is(err, ErrClosed) {
		return n, err
	}
	if err != nil {
		j.Lose(int64(n-written), err)
	}
	return n, nil
}

// stallLimit is how long a look at the pipe may take to count: the process may have been
// suspended during a longer one, and the pipe may be full by now.
const stallLimit = time.Millisecond

// noteFull notes a gap if the pipe is full: what was dropped meanwhile belongs behind what
// is in it, or into its last page. The caller takes the bytes at once, so that a pipe that
// is not full does not become so before. It holds the lock of the writer.
func (j *Journal) noteFull(pipe int, overrun string) {
	if overrun == "" || !isFull(pipe) {
		return
	}
	unread, err := unix.IoctlGetInt(pipe, unix.TIOCINQ)
	if err != nil {
		unread = 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.store.gaps.add(Gap{Offset: j.store.last().end() + int64(unread), Cause: overrun})
}

// isFull reports whether a pipe is full just now.
func isFull(pipe int) bool {
	for begin := time.Now(); ; begin = time.Now() {
		poll := []unix.PollFd{{Fd: int32(pipe), Events: unix.POLLOUT}}
		_, err := unix.Poll(poll, 0)
		if err == nil && poll[0].Revents&unix.POLLOUT == 0 {
			return true
		}
		if time.Since(begin) < stallLimit {
			return false
		}
	}
}

// Lose notes that bytes could not be kept, at the present end of the stream.
func (j *Journal) Lose(bytes int64, cause error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.store.gaps.lose(j.store.last().end(), bytes, cause)
}

// Exact reports whether a writer that is killed loses nothing: the file system has
// splice(2), as far as is known.
func (j *Journal) Exact() bool { return !j.copies.Load() }

// AwaitWrite waits until a write that is under way has ended: what it has taken from a
// pipe is in Range then.
func (j *Journal) AwaitWrite() { j.exclusive()() }

// Tail returns the last n bytes of the stream, or fewer: no more than the newest segment
// has.
func (j *Journal) Tail(n int) []byte {
	defer j.exclusive()()
	if j.closed {
		return nil
	}
	size := j.store.last().size
	data := make([]byte, min(int64(n), size))
	read, err := unix.Pread(int(j.head.file.Fd()), data, size-int64(len(data)))
	if err != nil {
		return nil
	}
	return data[:read]
}
