package vm

import (
	"os"
	"slices"
	"time"

	"microvm-console/internal/qemu"
	"microvm-console/internal/state"
	"microvm-console/internal/unixsock"
)

// gdbServer is the Unix socket on which QEMU serves gdb.
type gdbServer struct {
	path   string // "" without one
	paused bool   // QEMU starts with the guest's processors paused
}

// listen opens the socket, mode 0600, so that only the VM's owner can connect at any time. QEMU
// inherits file, which the caller closes. The socket's path is removed with the VM's directory.
// Without a path, listen returns nil.
func (g gdbServer) listen() (file *os.File, err error) {
	if g.path == "" {
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
	if g.path == "" {
		return nil
	}
	return qemu.GDB(g.path, fd, g.paused)
}

// startsPaused reports whether QEMU starts with the guest's processors paused.
// args are the user's arguments in vm.json.
func (q *qemuProcess) startsPaused(args []string) bool {
	return q.gdb.paused || qemu.StartsPaused(slices.Concat(args, q.extra))
}

// isPaused reports whether a run state of QEMU means that gdb or the monitor has paused the
// guest's processors, or that they have not been started.
func isPaused(status string) bool {
	return slices.Contains([]string{statusPrelaunch, "paused", "debug"}, status)
}

// statusPrelaunch is the run state of a QEMU that was started with -S.
const statusPrelaunch = "prelaunch"

// setPaused records whether the guest is paused, in QEMU's run state status. Once the processors
// of a guest run for the first time, the time until it is ready begins.
func (w *watcher) setPaused(status string) {
	if !isPaused(status) {
		status = ""
	}
	if status == w.paused {
		return
	}
	if w.paused == statusPrelaunch && status == "" {
		w.guest.Begin(time.Now())
	}
	if status == "" {
		w.record.withdraw(pausedNote)
	}
	w.paused = status
	w.record.set(func(m *state.Machine) { m.Paused = status != "" })
	_ = w.record.publish() // the status shows it even without the file
}
