package relay

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Opens tells when files are opened and closed, by inotify(7).
type Opens struct{ file *os.File }

// WatchOpens watches nothing yet. The caller calls Close.
func WatchOpens() (*Opens, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init", err)
	}
	return &Opens{os.NewFile(uintptr(fd), "inotify")}, nil
}

// Add watches path too, for events: IN_OPEN, IN_CLOSE and their like.
func (o *Opens) Add(path string, events uint32) error {
	err := control(o.file, func(fd int) error {
		_, err := unix.InotifyAddWatch(fd, path, events)
		return err
	})
	if err != nil {
		return &os.PathError{Op: "inotify_add_watch", Path: path, Err: err}
	}
	return nil
}

// Wait waits until something was opened or closed since the last call, or ctx
// ends, which is its error.
func (o *Opens) Wait(ctx context.Context) error {
	defer until(ctx, o.file)()
	_, err := o.file.Read(make([]byte, 16<<10)) // what happened is looked up, not read here
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Close ends the watching.
func (o *Opens) Close() { o.file.Close() }

// polled is what poll(2) says about a file just now.
func polled(file *os.File) int16 {
	var events int16
	_ = control(file, func(fd int) error { // a closed one says nothing
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
		_, err := unix.Poll(poll, 0)
		if errors.Is(err, unix.EINTR) {
			_, err = unix.Poll(poll, 0)
		}
		events = poll[0].Revents
		return err
	})
	return events
}
