// Package unixsock listens on Unix sockets that only their owner can open.
package unixsock

import (
	"context"
	"errors"
	"net"
	"os"
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
// was left there: the caller holds the owner's lock.
func Listen(path string) (*Listener, error) {
	if err := rundir.CheckSocket(path); err != nil {
		return nil, err
	}
	exists, err := rundir.Usable(path, os.ModeSocket)
	if err != nil {
		return nil, err
	}
	if exists {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	// bind(2) gives the file the mode of the socket (Linux, unix_bind_bsd): it is private from the
	// first moment, also in a folder that every user can write to.
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		return errors.Join(raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }), err)
	}}
	listener, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	return Named(listener.(*net.UnixListener), path), nil
}

// Named returns a Listener of one whose socket is at path.
func Named(listener *net.UnixListener, path string) *Listener {
	listener.SetUnlinkOnClose(false)
	socket, _ := os.Lstat(path)
	return &Listener{listener, path, socket}
}

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
