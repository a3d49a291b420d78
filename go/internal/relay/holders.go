package relay

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Holders are the processes of this user, other than this one and its parent,
// that have the file at path open for reading and writing. Of a FIFO these are
// the QEMUs that sit on it; a reader or a writer opens it for one of the two.
//
// The parent may be a service manager that keeps our descriptors. Which process
// has a file open changes at any time: the answer is good for what can be looked
// at again.
func Holders(path string) []int {
	holders, _ := openers(path)
	return holders
}

// openers are Holders, and all processes that have the file open in any way.
func openers(path string) (holders, all []int) {
	wanted, err := os.Stat(path)
	if err != nil {
		return nil, nil
	}
	return openersOf(wanted)
}

// openersOf are openers of a file that may have no name any more.
func openersOf(wanted os.FileInfo) (holders, all []int) {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return nil, nil
	}
	for _, process := range processes {
		pid, err := strconv.Atoi(process.Name())
		if err != nil || pid == os.Getpid() || pid == os.Getppid() {
			continue
		}
		opened, held := holds(filepath.Join("/proc", process.Name()), wanted)
		if opened {
			all = append(all, pid)
		}
		if held {
			holders = append(holders, pid)
		}
	}
	return holders, all
}

// openersNow are openers of a file that is open here, whatever its name is.
func openersNow(file *os.File) (holders, all []int) {
	info, err := file.Stat()
	if err != nil {
		return nil, nil
	}
	return openersOf(info)
}

// holds tells whether the process at proc has a file open, and whether for both
// reading and writing.
func holds(proc string, wanted os.FileInfo) (opened, held bool) {
	descriptors, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return false, false // somebody else's, or gone
	}
	for _, descriptor := range descriptors {
		info, err := os.Stat(filepath.Join(proc, "fd", descriptor.Name()))
		if err == nil && os.SameFile(info, wanted) {
			opened = true
			held = held || both(filepath.Join(proc, "fdinfo", descriptor.Name()))
		}
	}
	return opened, held
}

// both tells whether a descriptor is open for reading and writing; see proc(5),
// fdinfo.
func both(fdinfo string) bool {
	text, err := os.ReadFile(fdinfo)
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), "flags:")
	word, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
	flags, err := strconv.ParseInt(word, 8, 64)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR
}
