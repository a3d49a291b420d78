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
	j.writing.Lock()
	defer j.writing.Unlock()
	written := 0
	for written < len(data) {
		at, room, err := j.place()
		if err != nil {
			return written, err
		}
		part := data[written:min(len(data), written+room)]
		// Not os.File.WriteAt: with an error it does not tell what was written.
		n, err := unix.Pwrite(int(j.file.Fd()), part, at)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		n, err = max(0, n), os.NewSyscallError("write", err)
		written += n
		j.grown(n)
		if err := j.makeRoom(err); err != nil {
			return written, err
		}
	}
	return written, nil
}

// Splice moves what is in the pipe to the end of the stream and returns how
// much that was; io.EOF where the pipe is empty. The kernel moves the pages:
// there is no moment at which a byte is in neither of the two, so that a
// writer that is killed loses nothing. look, unless it is nil, is called right before
// the kernel moves anything, and may call Doubt.
//
// A file system that cannot do this gives an error that ErrNoSplice tells; the
// caller then reads and writes.
func (j *Journal) Splice(pipe int, look func()) (int, error) {
	j.writing.Lock()
	defer j.writing.Unlock()
	for {
		at, room, err := j.place()
		if err != nil {
			return 0, err
		}
		if look != nil {
			look()
		}
		n, err := j.splice(pipe, at, room)
		if err == nil {
			j.grown(n)
			return n, nil
		}
		if err = j.makeRoom(err); err != nil {
			return 0, err
		}
	}
}

// splice is Splice at a place in the last segment.
func (j *Journal) splice(pipe int, at int64, room int) (int, error) {
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

// Settle waits for a write that is under way: what it has taken from a pipe is
// in Range then.
func (j *Journal) Settle() { j.exclusive()() }

// Tail returns the last n bytes of the stream, or fewer: no more than the last
// segment has.
func (j *Journal) Tail(n int) []byte {
	defer j.exclusive()()
	if j.closed {
		return nil
	}
	size := j.last().size
	data := make([]byte, min(int64(n), size))
	read, err := unix.Pread(int(j.file.Fd()), data, size-int64(len(data)))
	if err != nil {
		return nil
	}
	return data[:read]
}

// ErrNoSplice tells whether err is that of a file system without splice(2).
func ErrNoSplice(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS)
}
