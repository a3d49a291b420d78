package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Public are a channel's endpoints that other programs open, in a folder that
// may be everybody's, as /tmp.
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

// ForeignError is returned for a file that is not ours, or of another kind, and has the
// name of one of ours.
type ForeignError struct {
	Path string
	Why  string // "belongs to user 1001, not to us"
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s: %s (remove it, or choose another directory)", e.Path, e.Why)
}

// Usable tells whether there is something at path; it is a *ForeignError unless that
// is of the wanted kind and ours. A link counts as itself.
func Usable(path string, kind os.FileMode) (exists bool, err error) {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); errors.Is(err, unix.ENOENT) {
		return false, nil
	} else if err != nil {
		return false, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	switch found := kinds[stat.Mode&unix.S_IFMT]; {
	case int(stat.Uid) != os.Getuid():
		return true, &ForeignError{path, fmt.Sprintf("belongs to user %d, not to us", stat.Uid)}
	case found != kinds[want[kind]]:
		return true, &ForeignError{path, fmt.Sprintf("is %s, not %s", found, kinds[want[kind]])}
	}
	return true, nil
}

var kinds = map[uint32]string{
	unix.S_IFIFO: "a FIFO", unix.S_IFSOCK: "a socket", unix.S_IFLNK: "a symbolic link",
	unix.S_IFREG: "a file", unix.S_IFDIR: "a folder", unix.S_IFCHR: "a device", unix.S_IFBLK: "a device",
}

var want = map[os.FileMode]uint32{
	os.ModeNamedPipe: unix.S_IFIFO, os.ModeSocket: unix.S_IFSOCK, os.ModeSymlink: unix.S_IFLNK,
}

// Link makes path a symbolic link to target, in the place of a link of ours that
// is there: who opens path meanwhile finds the old one or the new one.
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
