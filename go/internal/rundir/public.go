package rundir

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Public is the endpoints of a channel that other programs open, in a folder that may be
// shared by all users, such as /tmp.
type Public struct {
	In     string // FIFO: to the guest
	Out    string // FIFO: from the guest
	Socket string // Unix stream socket
	PTY    string // link to a pseudo-terminal
	Log    string // link to the newest segment of the stream
}

// PublicOf names the endpoints of a channel in directory.
func PublicOf(directory, channel string) Public {
	path := func(suffix string) string { return filepath.Join(directory, "qemu-"+channel+suffix) }
	return Public{In: path(".in"), Out: path(".out"), Socket: path(".sock"), PTY: path(".pty"), Log: path(".log")}
}

// ForeignError is returned for a file that has the name of one of ours, and belongs to
// another user or is of another kind.
type ForeignError struct {
	Path string
	Why  string // "belongs to user 1001, not to us"
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s: %s (remove it, or choose another directory)", e.Path, e.Why)
}

// Usable reports whether there is a file at path. It returns a *ForeignError if that is of
// another kind than the wanted one, or not ours. A link counts as itself.
func Usable(path string, kind os.FileMode) (exists bool, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != os.Getuid() {
		return true, &ForeignError{path, fmt.Sprintf("belongs to user %d, not to us", owner)}
	}
	if found := info.Mode().Type(); found != kind {
		return true, &ForeignError{path, fmt.Sprintf("is %s, not %s", cmp.Or(kinds[found], "a device"), kinds[kind])}
	}
	return true, nil
}

// kinds are the kinds of files but devices.
var kinds = map[os.FileMode]string{
	os.ModeNamedPipe: "a FIFO", os.ModeSocket: "a socket", os.ModeSymlink: "a symbolic link", os.ModeDir: "a folder", 0: "a file",
}

// Link makes path a symbolic link to target, and replaces a link of ours that is there: a
// process that opens path meanwhile finds the old one or the new one.
func Link(target, path string) error {
	if _, err := Usable(path, os.ModeSymlink); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is empty
	fresh := filepath.Join(dir, "link")
	if err := os.Symlink(target, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// OpenFIFO makes a FIFO at path, mode 0600, or takes one of ours that is there, which QEMU
// may have open. It opens it for reading and writing: an opening never waits, and the FIFO
// keeps its content while it is open here. The error is a *ForeignError if another file
// has the name.
func OpenFIFO(path string) (*os.File, error) {
	exists, err := Usable(path, os.ModeNamedPipe)
	if err != nil {
		return nil, err
	}
	if !exists {
		if err := unix.Mkfifo(path, 0o600); err != nil {
			return nil, &os.PathError{Op: "mkfifo", Path: path, Err: err}
		}
	}
	return os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
}
