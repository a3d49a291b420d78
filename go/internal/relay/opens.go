package relay

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// opens tells when files are opened and closed, by inotify(7).
type opens struct{ file *os.File }

// watchOpens watches paths. The caller calls close.
func watchOpens(paths ...string) (*opens, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init", err)
	}
	o := &opens{os.NewFile(uintptr(fd), "inotify")}
	for _, path := range paths {
		if _, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN|unix.IN_CLOSE); err != nil {
			o.close()
			return nil, &os.PathError{Op: "inotify_add_watch", Path: path, Err: err}
		}
	}
	return o, nil
}

// wait waits until something was opened or closed since the last call, or ctx
// ends, which is its error.
func (o *opens) wait(ctx context.Context) error {
	defer until(ctx, o.file)()
	_, err := o.file.Read(make([]byte, 16<<10)) // what happened is looked up, not read here
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (o *opens) close() { o.file.Close() }

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
