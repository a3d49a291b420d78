// Package descriptor does with open files what package os does not.
package descriptor

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Control calls f with a file's descriptor, which stays open meanwhile. Its error is that
// of f, or os.ErrClosed.
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

// query returns what get returns for a file's descriptor; 0 for a file that is closed.
func query(file *os.File, get func(fd int) (int, error)) (value int) {
	_ = Control(file, func(fd int) (err error) {
		value, err = get(fd)
		return err
	})
	return value
}

// Unread returns how many bytes are in a pipe; 0 for one that is closed.
func Unread(pipe *os.File) int {
	return query(pipe, func(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.TIOCINQ) })
}

// Capacity returns how many bytes a pipe can hold; 0 for one that is closed.
func Capacity(pipe *os.File) int {
	return query(pipe, func(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0) })
}

// Drain drops what is in a pipe, which must not block.
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

// Poll returns the events of poll(2) that a file has now: POLLERR, POLLHUP and POLLPRI;
// 0 for one that is closed.
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

// IsAt reports whether an open file is the one at path.
func IsAt(file *os.File, path string) bool {
	ours, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(ours, named)
}

// Wake ends what waits for file, and all that will wait, with os.ErrDeadlineExceeded.
func Wake(file *os.File) {
	_ = file.SetDeadline(time.Unix(1, 0)) // a file that is closed wakes anyway
}

// Until has what waits for file wait no longer than ctx. The function that it returns
// undoes that.
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
		_ = file.SetDeadline(time.Time{}) // one that is closed has none
	}
}
