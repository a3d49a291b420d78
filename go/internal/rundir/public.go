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

// Usable tells whether there is something at path; it is an error unless that
// is of the wanted kind and ours. A link counts as itself.
func Usable(path string, kind os.FileMode) (exists bool, err error) {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); errors.Is(err, unix.ENOENT) {
		return false, nil
	} else if err != nil {
		return false, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	const remedy = "(remove it, or choose another directory)"
	switch found := kinds[stat.Mode&unix.S_IFMT]; {
	case found != kinds[want[kind]]:
		return true, fmt.Errorf("%s: is %s, not %s %s", path, found, kinds[want[kind]], remedy)
	case int(stat.Uid) != os.Getuid():
		return true, fmt.Errorf("%s: belongs to user %d, not to us %s", path, stat.Uid, remedy)
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
