package journal

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxSpliceBytes is the largest count passed to splice(2): a pipe's capacity.
const maxSpliceBytes = 1 << 20

// head holds the files of the newest segment, for writing.
type head struct {
	file   *os.File
	index  indexWriter
	marked time.Time // when the index and the record of the end were last written; zero if never
}

// length returns how many of the size bytes written are in the file, or -1 if the file
// was removed. If that is unknown, it returns size. Bytes that another program has
// appended are cut off.
func (h *head) length(size int64) int64 {
	var stat unix.Stat_t
	switch err := unix.Fstat(int(h.file.Fd()), &stat); {
	case err != nil:
		return size
	case stat.Nlink == 0:
		return -1
	case stat.Size > size:
		_ = h.file.Truncate(size) // if this fails, they are overwritten
	}
	return min(size, stat.Size)
}

// write writes data at offset at of the file. On an error too, it returns the number of
// bytes written, which os.File.WriteAt does not.
func (h *head) write(data []byte, at int64) (int, error) {
	n, err := unix.Pwrite(int(h.file.Fd()), data, at)
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return max(0, n), os.NewSyscallError("write", err)
}

// splice moves up to room bytes from a pipe to offset at of the file. It returns io.EOF
// if the pipe is empty.
func (h *head) splice(pipe int, at int64, room int) (int, error) {
	n, err := unix.Splice(pipe, nil, int(h.file.Fd()), &at, min(room, maxSpliceBytes), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	switch {
	case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
		return 0, io.EOF
	case errors.Is(err, unix.EINTR):
		return 0, nil
	}
	return int(max(0, n)), os.NewSyscallError("splice", err)
}

// close closes the files. Only an error of the segment's file matters.
func (h *head) close() error {
	_ = h.index.close()
	return h.file.Close()
}
