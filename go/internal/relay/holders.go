package relay

import (
	"os"
	"slices"
	"strconv"

	"microvm-console/internal/openers"
)

// Holders returns the processes of this user, other than this one, that have the file
// at path open for reading and writing. Of a FIFO these are the QEMUs that sit on it,
// and launchers that hold it for one; a reader or a writer opens it for one of the two.
//
// Under a service manager the parent of this process does not count: it keeps our
// descriptors. Which process has a file open changes at any time: the answer is good
// for what can be looked at again.
func Holders(path string) []int {
	holders, _ := openersAt(path)
	return holders
}

// openersAt returns Holders, and all processes that have the file open in any way.
func openersAt(path string) (holders, all []int) {
	wanted, err := os.Stat(path)
	if err != nil {
		return nil, nil
	}
	return openersOf(wanted)
}

// openersOf is openersAt for a file that may have no name any more.
func openersOf(wanted os.FileInfo) (holders, all []int) {
	skipped := []int{os.Getpid()}
	if managed() {
		skipped = append(skipped, os.Getppid())
	}
	for _, opener := range openers.Of(wanted) {
		if slices.Contains(skipped, opener.PID) {
			continue
		}
		if !slices.Contains(all, opener.PID) {
			all = append(all, opener.PID)
		}
		if opener.Both() && !slices.Contains(holders, opener.PID) {
			holders = append(holders, opener.PID)
		}
	}
	return holders, all
}

// managed reports whether the parent of this process is a service manager. A process that
// a service has started inherits NOTIFY_SOCKET, but SYSTEMD_EXEC_PID, where systemd sets it
// (248 and later, systemd.exec(5)), is another's.
func managed() bool {
	executed := os.Getenv("SYSTEMD_EXEC_PID")
	return os.Getenv("NOTIFY_SOCKET") != "" && (executed == "" || executed == strconv.Itoa(os.Getpid()))
}

// openersNow is openersAt for a file that is open here, whatever its name is.
func openersNow(file *os.File) (holders, all []int) {
	info, err := file.Stat()
	if err != nil {
		return nil, nil
	}
	return openersOf(info)
}
