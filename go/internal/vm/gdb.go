package vm

import (
	"os"
	"slices"

	"microvm-console/internal/qemu"
	"microvm-console/internal/unixsock"
)

// gdbServer is the Unix socket on which QEMU serves gdb.
type gdbServer struct {
	path   string // "" without one
	paused bool   // QEMU starts with the guest's processors paused
}

// serves reports whether there is a socket.
func (g gdbServer) serves() bool { return g.path != "" }

// listen opens the socket, mode 0600, so that only the VM's owner can connect at any time. QEMU
// inherits file, which the caller closes. The socket's path is removed with the VM's directory.
// Without a path, listen returns nil.
func (g gdbServer) listen() (file *os.File, err error) {
	if !g.serves() {
		return nil, nil
	}
	listener, err := unixsock.Listen(g.path)
	if err != nil {
		return nil, err
	}
	file, err = listener.File()
	if closing := listener.UnixListener.Close(); err == nil { // the path remains
		err = closing
	}
	return file, err
}

// args returns QEMU's arguments for a socket that QEMU inherits as descriptor fd, or if fd is 0
// opens itself.
func (g gdbServer) args(fd int) []string {
	if !g.serves() {
		return nil
	}
	return qemu.GDB(g.path, fd, g.paused)
}

// startsPaused reports whether QEMU starts with the guest's processors paused.
// args are the user's arguments in vm.json.
func (q *qemuProcess) startsPaused(args []string) bool {
	return q.gdb.paused || qemu.StartsPaused(slices.Concat(args, q.extra))
}
