package openers

import (
	"os"
	"slices"
	"strconv"
)

// Holders returns the processes, other than this one, that have a FIFO open for reading
// and writing: QEMU processes that use it, and launchers that keep it open for QEMU.
// Ordinary readers and writers open it for only one of the two. others are all processes
// that have it open in any way.
//
// If the parent of this process is a service manager, it is skipped, because it keeps
// this service's descriptors.
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
	return slices.Compact(holders), slices.Compact(others) // descriptors of one process are adjacent
}

// managed reports whether the parent of this process is a service manager. Children of a
// service inherit NOTIFY_SOCKET; but then SYSTEMD_EXEC_PID, which systemd sets since
// version 248 (systemd.exec(5)), is not their own PID.
func managed() bool {
	executed := os.Getenv("SYSTEMD_EXEC_PID")
	return os.Getenv("NOTIFY_SOCKET") != "" && (executed == "" || executed == strconv.Itoa(os.Getpid()))
}

// HoldersAt is Holders for the FIFO at path. It returns nothing if path does not exist.
func HoldersAt(path string) (holders, others []int) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil
	}
	return Holders(info)
}

// Held reports whether an open FIFO has holders.
func Held(fifo *os.File) bool {
	holders, _ := HoldersOf(fifo)
	return len(holders) > 0
}

// HoldersOf is Holders for an open file, whose name may have been removed.
func HoldersOf(fifo *os.File) (holders, others []int) {
	info, err := fifo.Stat()
	if err != nil {
		return nil, nil
	}
	return Holders(info)
}
