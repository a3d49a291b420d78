// Package unixsock listens on Unix sockets that only their owner can open.
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

// Listener is a Unix stream socket at a path. Its name is removed with it, unless another
// file has it by then.
type Listener struct {
	*net.UnixListener
	path   string
	socket os.FileInfo // nil: the name has been removed
}

// Listen opens a Unix stream socket at path, mode 0600. It replaces a socket of ours that
// was left there: the caller holds the owner's lock. The socket gets its name only once
// clients can connect to it.
func Listen(path string) (*Listener, error) {
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
	// By way of the descriptor the path is short enough for any folder.
	fresh := fmt.Sprintf("/proc/self/fd/%d/.%s-%s", fd, name, rand.Text()[:8])
	// bind(2) gives the file the mode of the socket (Linux, unix_bind_bsd): it is private from the
	// first moment, also in a folder that every user can write to.
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		return errors.Join(raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }), err)
	}}
	listener, err := config.Listen(context.Background(), "unix", fresh)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", path, err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return Named(listener.(*net.UnixListener), path), nil
}

// Named returns a Listener of one whose socket is at path.
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
		_ = os.Remove(l.path) // it may just have been removed
	}
	return l.UnixListener.Close()
}
