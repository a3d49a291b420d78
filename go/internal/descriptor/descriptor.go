// Package descriptor has functions on open files that package os lacks.
package descriptor

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Control calls f with a file's descriptor, which is not closed during the call. It
// returns the error of f, or os.ErrClosed if the file is closed.
func Control(file *os.File, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// query returns the result of get for a file's descriptor, or 0 if the file is closed.
func query(file *os.File, get func(fd int) (int, error)) (value int) {
	_ = Control(file, func(fd int) (err error) {
		value, err = get(fd)
		return err
	})
	return value
}

// Unread returns the number of bytes in a pipe, or 0 if it is closed.
func Unread(pipe *os.File) int {
	return query(pipe, func(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.TIOCINQ) })
}

// Capacity returns the number of bytes that a pipe can hold, or 0 if it is closed.
func Capacity(pipe *os.File) int {
	return query(pipe, func(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0) })
}

// Drain discards the content of a pipe, which must be non-blocking.
func Drain(pipe *os.File) error {
	return Control(pipe, func(fd int) error {
		chunk := make([]byte, 64<<10)
		for {
			n, err := unix.Read(fd, chunk)
			if errors.Is(err, unix.EAGAIN) || n == 0 {
				return nil
			}
			if err != nil && !errors.Is(err, unix.EINTR) {
				return os.NewSyscallError("read", err)
			}
		}
	})
}

// Poll returns the current poll(2) events of a file among POLLERR, POLLHUP and POLLPRI,
// or 0 if it is closed.
func Poll(file *os.File) int {
	return query(file, func(fd int) (int, error) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
		_, err := unix.Poll(poll, 0)
		if errors.Is(err, unix.EINTR) {
			_, err = unix.Poll(poll, 0)
		}
		return int(poll[0].Revents), err
	})
}

// IsAt reports whether path is the name of an open file.
func IsAt(file *os.File, path string) bool {
	ours, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(ours, named)
}

// Wake makes current and future reads and writes of file fail with
// os.ErrDeadlineExceeded.
func Wake(file *os.File) {
	_ = file.SetDeadline(time.Unix(1, 0)) // a closed file needs no deadline
}

// Until makes reads and writes of file fail with os.ErrDeadlineExceeded once ctx is done.
// The returned function undoes that.
func Until(ctx context.Context, file *os.File) (undo func()) {
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		Wake(file)
	})
	return func() {
		if !stop() {
			<-woken
		}
		_ = file.SetDeadline(time.Time{}) // fails only for a closed file
	}
}
