package qemu

import (
	"fmt"
	"strings"
)

// GDB returns the arguments with which QEMU serves gdb on a Unix socket: a listening socket that
// it inherits as descriptor fd, or if fd is 0 a new one at path. If paused is set, QEMU does not
// start the guest's processors; gdb does.
func GDB(path string, fd int, paused bool) []string {
	socket := fmt.Sprintf("fd=%d", fd)
	if fd == 0 {
		socket = "path=" + strings.ReplaceAll(path, ",", ",,")
	}
	args := []string{"-chardev", "socket,id=gdb0," + socket + ",server=on,wait=off", "-gdb", "chardev:gdb0"}
	if paused {
		args = append(args, "-S")
	}
	return args
}

// StartsPaused reports whether the user's arguments have -S, with which QEMU does not start the
// guest's processors.
func StartsPaused(user []string) bool {
	for name := range options(user) {
		if name == "S" {
			return true
		}
	}
	return false
}
