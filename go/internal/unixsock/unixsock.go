// Package unixsock listens on Unix sockets that only their owner, or also a group, can connect to.
package unixsock

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"microvm-console/internal/rundir"
)

// Listener is a Unix stream socket at a path. Close removes the path, unless it is
// another file's by then.
type Listener struct {
	*net.UnixListener
	path   string
	socket os.FileInfo // nil if the path has been removed
}

// Listen opens a Unix stream socket at path, mode 0600. It replaces an old socket of the
// same user; the caller holds a lock that excludes other owners. The path exists only
// once clients can connect. The caller must call Close.
func Listen(path string) (*Listener, error) { return ListenMode(path, 0o600) }

// ListenMode is Listen with other permissions, whatever the umask is.
func ListenMode(path string, mode os.FileMode) (*Listener, error) {
	if err := rundir.CheckSocket(path); err != nil {
		return nil, err
	}
	if _, err := rundir.Usable(path, os.ModeSocket); err != nil {
		return nil, err
	}
	dir, name := filepath.Split(path)
	fd, err := unix.Open(filepath.Clean(dir), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	// The path through the descriptor is short enough for any folder.
	fresh := fmt.Sprintf("/proc/self/fd/%d/.%s-%s", fd, name, rand.Text()[:8])
	// bind(2) gives the file the mode of the socket (Linux, unix_bind_bsd). So it is
	// private from the start, even in a folder that all users can write to.
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		return errors.Join(raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }), err)
	}}
	listener, err := config.Listen(context.Background(), "unix", fresh)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", path, err)
	}
	if err := errors.Join(os.Chmod(fresh, mode), os.Rename(fresh, path)); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return Named(listener.(*net.UnixListener), path), nil
}

// Named returns a Listener for an existing listener whose socket is at path.
func Named(listener *net.UnixListener, path string) *Listener {
	listener.SetUnlinkOnClose(false)
	socket, _ := os.Lstat(path)
	return &Listener{listener, path, socket}
}

// Addr returns the socket's path.
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: l.path} }

// InPlace reports whether the socket is still at its path.
func (l *Listener) InPlace() bool {
	now, err := os.Lstat(l.path)
	return err == nil && l.socket != nil && os.SameFile(now, l.socket)
}

// Close removes the socket and closes the listener.
func (l *Listener) Close() error {
	if l.InPlace() {
		_ = os.Remove(l.path) // may have been removed already
	}
	return l.UnixListener.Close()
}
