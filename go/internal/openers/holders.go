package openers

import (
	"os"
	"slices"
	"strconv"
)

// Holders returns the processes, other than this one, that have a FIFO open for reading
// and writing: the QEMUs that use it, and launchers that hold it for one. A reader or a
// writer opens it for one of the two. others are all processes that have it open in any
// way.
//
// Under a service manager the parent of this process does not count: it keeps our
// descriptors.
func Holders(fifo os.FileInfo) (holders, others []int) {
	skipped := []int{os.Getpid()}
	if managed() {
		skipped = append(skipped, os.Getppid())
	}
	for _, opener := range Of(fifo) {
		if slices.Contains(skipped, opener.PID) {
			continue
		}
		others = append(others, opener.PID)
		if opener.Both() {
			holders = append(holders, opener.PID)
		}
	}
	return slices.Compact(holders), slices.Compact(others) // those of a process are together
}

// managed reports whether the parent of this process is a service manager. A process that
// a service has started inherits NOTIFY_SOCKET, but SYSTEMD_EXEC_PID, where systemd sets it
// (248 and later, systemd.exec(5)), is another's.
func managed() bool {
	executed := os.Getenv("SYSTEMD_EXEC_PID")
	return os.Getenv("NOTIFY_SOCKET") != "" && (executed == "" || executed == strconv.Itoa(os.Getpid()))
}

// HoldersAt is Holders for the FIFO at path. A path without a file has none.
func HoldersAt(path string) (holders, others []int) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil
	}
	return Holders(info)
}

// HoldersOf is Holders for an open file, which may have no name any more.
func HoldersOf(fifo *os.File) (holders, others []int) {
	info, err := fifo.Stat()
	if err != nil {
		return nil, nil
	}
	return Holders(info)
}
