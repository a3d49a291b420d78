package journal

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// spliceAtMost is how much one splice(2) is asked for: a pipe's capacity.
const spliceAtMost = 1 << 20

// head is the newest segment's files, to which is written.
type head struct {
	file   *os.File
	index  indexWriter
	marked time.Time // when the index and the record of the end were written; zero: not yet
}

// length returns how many of the size bytes that were written are in the file; -1 if the
// file was removed. If it is not known, it is size. What was appended from outside is cut
// off.
func (h *head) length(size int64) int64 {
	var stat unix.Stat_t
	switch err := unix.Fstat(int(h.file.Fd()), &stat); {
	case err != nil:
		return size
	case stat.Nlink == 0:
		return -1
	case stat.Size > size:
		_ = h.file.Truncate(size) // else it is written over
	}
	return min(size, stat.Size)
}

// write writes data at a place in the file, and returns how much was written also with an
// error, which os.File.WriteAt does not.
func (h *head) write(data []byte, at int64) (int, error) {
	n, err := unix.Pwrite(int(h.file.Fd()), data, at)
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return max(0, n), os.NewSyscallError("write", err)
}

// splice moves up to room bytes from a pipe to a place in the file. It returns io.EOF if
// the pipe is empty.
func (h *head) splice(pipe int, at int64, room int) (int, error) {
	n, err := unix.Splice(pipe, nil, int(h.file.Fd()), &at, min(room, spliceAtMost), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	switch {
	case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
		return 0, io.EOF
	case errors.Is(err, unix.EINTR):
		return 0, nil
	}
	return int(max(0, n)), os.NewSyscallError("splice", err)
}

// close closes the files. Nothing depends on the index.
func (h *head) close() error {
	_ = h.index.close()
	return h.file.Close()
}
