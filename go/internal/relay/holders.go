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
	wanted, err := os.Stat(path)
	if err != nil {
		return nil
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var holders []int
	for _, process := range processes {
		pid, err := strconv.Atoi(process.Name())
		if err != nil || pid == os.Getpid() || pid == os.Getppid() {
			continue
		}
		if holds(filepath.Join("/proc", process.Name()), wanted) {
			holders = append(holders, pid)
		}
	}
	return holders
}

// holds tells whether the process at proc has a file open for both.
func holds(proc string, wanted os.FileInfo) bool {
	descriptors, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return false // somebody else's, or gone
	}
	for _, descriptor := range descriptors {
		info, err := os.Stat(filepath.Join(proc, "fd", descriptor.Name()))
		if err == nil && os.SameFile(info, wanted) && both(filepath.Join(proc, "fdinfo", descriptor.Name())) {
			return true
		}
	}
	return false
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
