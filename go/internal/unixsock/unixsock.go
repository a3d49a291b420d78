// Package unixsock listens on Unix sockets that only their owner can open.
package unixsock

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"microvm-console/internal/rundir"
)

// Listen opens a Unix stream socket at path, mode 0600. A socket of ours that is
// left there is replaced: the caller holds the owner's lock. Closing the listener
// removes the socket.
//
// The socket gets its name only once it is private, also in a folder that every user
// can write to.
func Listen(path string) (net.Listener, error) {
	if err := rundir.CheckSocket(path); err != nil {
		return nil, err
	}
	if _, err := rundir.Usable(path, os.ModeSocket); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is empty
	listener, err := bind(dir)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", path, err)
	}
	fresh := filepath.Join(dir, "s")
	if err = os.Chmod(fresh, 0o600); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		_ = listener.Close() // it has no name yet
		return nil, err
	}
	return Named(listener, path), nil
}

// bind listens at "s" in dir, whose path may be longer than a socket's can be.
func bind(dir string) (*net.UnixListener, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("open", err)
	}
	defer func() { _ = unix.Close(fd) }()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: fmt.Sprintf("/proc/self/fd/%d/s", fd)})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	return listener, nil
}

// Named returns listener, whose socket is at path, as Listen does: closing it removes the
// socket, unless another one is at path by then.
func Named(listener *net.UnixListener, path string) net.Listener {
	socket, _ := os.Lstat(path) // nil: it has been removed already
	return &named{listener, path, socket}
}

type named struct {
	*net.UnixListener
	path   string
	socket os.FileInfo
}

// Addr returns the socket's path.
func (n *named) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: n.path} }

// InPlace reports whether the socket of a listener that Listen or Named has returned is
// still at its path.
func InPlace(listener net.Listener) bool {
	n, ok := listener.(*named)
	return ok && n.inPlace()
}

func (n *named) inPlace() bool {
	now, err := os.Lstat(n.path)
	return err == nil && n.socket != nil && os.SameFile(now, n.socket)
}

// Close removes the socket and closes the listener.
func (n *named) Close() error {
	if n.inPlace() {
		_ = os.Remove(n.path) // it may just have been removed
	}
	return n.UnixListener.Close()
}
