package openers

import (
	"context"
	"encoding/binary"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
)

// Watch waits for files to be opened and closed, with inotify(7).
type Watch struct{ file *os.File }

// NewWatch returns a Watch that does not watch any file yet. The caller must call Close.
func NewWatch() (*Watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init", err)
	}
	return &Watch{os.NewFile(uintptr(fd), "inotify")}, nil
}

// Add adds path to the watched files, for events such as IN_OPEN and IN_CLOSE.
func (w *Watch) Add(path string, events uint32) error {
	err := descriptor.Control(w.file, func(fd int) error {
		_, err := unix.InotifyAddWatch(fd, path, events)
		return err
	})
	if err != nil {
		return &os.PathError{Op: "inotify_add_watch", Path: path, Err: err}
	}
	return nil
}

// eventBytes is the size of the read buffer. Events of files have no name.
const eventBytes = 32 * unix.SizeofInotifyEvent

// Wait waits until there are events since the last call, and returns the union of their
// masks. If ctx is done first, it returns its cause.
//
// IN_OPEN is delivered before the process that opens the file has its descriptor.
func (w *Watch) Wait(ctx context.Context) (events uint32, err error) {
	defer descriptor.Until(ctx, w.file)()
	data := make([]byte, eventBytes)
	n, err := w.file.Read(data)
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

// WaitLimited is Wait with a timeout.
func (w *Watch) WaitLimited(ctx context.Context, limit time.Duration) (events uint32, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return w.Wait(ctx)
}

// Close closes the inotify instance.
func (w *Watch) Close() { w.file.Close() }
