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

// Public has the paths of the endpoints of a channel for other programs. They are in a
// folder that all users may share, such as /tmp.
type Public struct {
	In     string // FIFO to the guest
	Out    string // FIFO from the guest
	Socket string // Unix stream socket
	PTY    string // link to a pseudo-terminal
	Log    string // link to the newest segment of the journal
}

// PublicOf returns the paths of the endpoints of a channel in directory.
func PublicOf(directory, channel string) Public {
	path := func(suffix string) string { return filepath.Join(directory, "qemu-"+channel+suffix) }
	return Public{In: path(".in"), Out: path(".out"), Socket: path(".sock"), PTY: path(".pty"), Log: path(".log")}
}

// ForeignError is returned if a path belongs to another user or is another kind of file.
type ForeignError struct {
	Path string
	Why  string // such as "belongs to user 1001"
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s: %s (remove it, or choose another directory)", e.Path, e.Why)
}

// Usable reports whether path exists. It returns a *ForeignError if the file is not of
// the given kind or belongs to another user. Symbolic links are not followed.
func Usable(path string, kind os.FileMode) (exists bool, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != os.Getuid() {
		return true, &ForeignError{path, fmt.Sprintf("belongs to user %d", owner)}
	}
	if found := info.Mode().Type(); found != kind {
		return true, &ForeignError{path, fmt.Sprintf("is %s, not %s", cmp.Or(kinds[found], "a device"), kinds[kind])}
	}
	return true, nil
}

// kinds are the names of the kinds of files, except devices.
var kinds = map[os.FileMode]string{
	os.ModeNamedPipe: "a FIFO", os.ModeSocket: "a socket", os.ModeSymlink: "a symbolic link", os.ModeDir: "a folder", 0: "a file",
}

// Link makes path a symbolic link to target. It replaces an existing link of this user
// atomically: a process that opens path uses either the old link or the new one.
func Link(target, path string) error {
	if _, err := Usable(path, os.ModeSymlink); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // empty by now, or on error
	fresh := filepath.Join(dir, "link")
	if err := os.Symlink(target, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// OpenFIFO creates a FIFO at path, mode 0600, or opens an existing one of this user,
// which QEMU may have open. It opens the FIFO for reading and writing, so that opening
// never blocks and the FIFO keeps its content while it is open here. It returns a
// *ForeignError if path is another file. The caller must close the file.
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
