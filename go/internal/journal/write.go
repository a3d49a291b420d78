package journal

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Write appends data and returns how much of it is kept. If the writer is killed between
// reading the data and writing it, the data is lost; see Take.
func (j *Journal) Write(data []byte) (int, error) {
	j.writing.Lock()
	defer j.writing.Unlock()
	return j.write(data)
}

// write is Write. The caller holds j.writing.
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

// Take moves the content of a non-blocking pipe, or a part of it, to the end of the
// stream. It returns the number of bytes moved, and io.EOF if the pipe is empty. The
// kernel moves the pages, so that each byte is in the pipe or in the file at any time,
// and nothing is lost if the writer is killed. On a file system without splice(2) the
// bytes are read and written; see Exact. Bytes that cannot be kept are dropped and become
// a gap, because the program that prints into the pipe must not wait.
//
// overrun is set for a pipe whose printer drops bytes if the pipe is full. If the pipe is
// full, bytes may be missing after its content; that is recorded as a gap with overrun as
// the cause. overrun is "" if the printer waits.
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

// splice is Take with splice(2).
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

// copy is Take with a buffer in user space.
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

// stallLimit is how long the check of the pipe may take. If it takes longer, the process
// may have been suspended, so the pipe may be full only since then.
const stallLimit = time.Millisecond

// noteFull records a gap if the pipe is full. The dropped bytes belong after the pipe's
// content, or into its last page. The caller must take the bytes immediately, so that a
// pipe that is not full does not fill up before. The caller holds j.writing.
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

// isFull reports whether a pipe is full now.
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

// Lose records that bytes could not be kept, at the current end of the stream.
func (j *Journal) Lose(bytes int64, cause error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.store.gaps.lose(j.store.last().end(), bytes, cause)
	j.store.record()
}

// Exact reports whether no byte is lost if the writer is killed. It is false once
// splice(2) has turned out to be unsupported by the file system.
func (j *Journal) Exact() bool { return !j.copies.Load() }

// AwaitWrite waits until a write in progress has finished. Then what it has taken from a
// pipe is included in Range.
func (j *Journal) AwaitWrite() { j.exclusive()() }

// Tail returns the last n bytes of the stream, or fewer if the newest segment has fewer.
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
