package journal

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// spliceAtMost is how much one splice(2) is asked for: a pipe's capacity.
const spliceAtMost = 1 << 20

// ErrClosed tells that the journal has been closed.
var ErrClosed = errors.New("journal: closed")

// Write appends data, whole or with an error that tells how much. A writer
// that is killed between reading and writing loses what it had read; see
// Splice.
func (j *Journal) Write(data []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	written := 0
	for written < len(data) {
		if j.closed {
			return written, ErrClosed
		}
		room, err := j.room()
		if err != nil {
			return written, err
		}
		part := data[written:min(len(data), written+room)]
		// Not os.File.WriteAt: with an error it does not tell what was written.
		n, err := unix.Pwrite(int(j.file.Fd()), part, j.last().size)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		n, err = max(0, n), os.NewSyscallError("write", err)
		written += n
		if err := errors.Join(j.grown(n), j.spared(err)); err != nil {
			return written, err
		}
	}
	return written, nil
}

// Splice moves what is in the pipe to the end of the stream and returns how
// much that was; io.EOF where the pipe is empty. The kernel moves the pages:
// there is no moment at which a byte is in neither of the two, so that a
// writer that is killed loses nothing.
//
// A file system that cannot do this gives an error that ErrNoSplice tells; the
// caller then reads and writes.
func (j *Journal) Splice(pipe int) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return 0, ErrClosed
	}
	room, err := j.room()
	if err != nil {
		return 0, err
	}
	for {
		n, err := j.splice(pipe, room)
		if err == nil {
			return n, j.grown(n)
		}
		if err = j.spared(err); err != nil {
			return 0, err
		}
	}
}

// splice is Splice into the last segment, which has room. The caller holds the
// lock.
func (j *Journal) splice(pipe, room int) (int, error) {
	at := j.last().size
	n, err := unix.Splice(pipe, nil, int(j.file.Fd()), &at, min(room, spliceAtMost), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	switch {
	case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
		return 0, io.EOF
	case errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, os.NewSyscallError("splice", err)
	}
	return int(n), nil
}

// ErrNoSplice tells whether err is that of a file system without splice(2).
func ErrNoSplice(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS)
}
