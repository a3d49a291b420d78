package relay

import (
	"context"
	"encoding/binary"
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

// eventBytes is how much is read at once. An event of a file has no name in it.
const eventBytes = 32 * unix.SizeofInotifyEvent

// Wait waits until something was opened or closed since the last call, or ctx
// ends, which is its error. It returns which events those were.
//
// An opening is told before the process that opens has its descriptor.
func (o *Opens) Wait(ctx context.Context) (events uint32, err error) {
	defer until(ctx, o.file)()
	data := make([]byte, eventBytes)
	n, err := o.file.Read(data)
	if n <= 0 && ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	for data = data[:max(0, n)]; len(data) >= unix.SizeofInotifyEvent; {
		events |= binary.NativeEndian.Uint32(data[4:])
		length := binary.NativeEndian.Uint32(data[12:])
		data = data[unix.SizeofInotifyEvent+length:]
	}
	return events, err
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
