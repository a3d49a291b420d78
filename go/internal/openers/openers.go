// Package openers finds the processes that have a file open, by reading proc(5).
//
// It sees only processes whose descriptors this user may read: the user's own, or for
// root all. Processes open and close files at any time, so callers must be prepared for
// an outdated result.
package openers

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Opener is a descriptor of a process.
type Opener struct {
	// PID is the ID of the process.
	PID int
	// Flags are the flags of open(2), including the access mode; -1 if they cannot be
	// read.
	Flags int
	// Locked is set if the descriptor has an exclusive flock(2). An inherited descriptor
	// shares the lock of the original.
	Locked bool
	// LockedBy is the ID of the process that took the lock. It is 0 if that process has
	// ended and this one is in a PID namespace, because the kernel cannot translate the
	// ID any more.
	LockedBy int
}

// Both reports whether the descriptor is open for reading and writing.
func (o Opener) Both() bool { return o.Flags >= 0 && o.Flags&unix.O_ACCMODE == unix.O_RDWR }

// Of returns the descriptors of all processes, including this one, that have a file open.
// The name of the file may have been removed.
func Of(wanted os.FileInfo) []Opener {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var openers []Opener
	for _, process := range processes {
		if pid, err := strconv.Atoi(process.Name()); err == nil {
			openers = append(openers, ofProcess(pid, wanted)...)
		}
	}
	return openers
}

// ofProcess is Of for one process. It returns nothing if the process has ended or belongs
// to another user.
func ofProcess(pid int, wanted os.FileInfo) []Opener {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	descriptors, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return nil
	}
	var openers []Opener
	for _, descriptor := range descriptors {
		info, err := os.Stat(filepath.Join(proc, "fd", descriptor.Name()))
		if err != nil || !os.SameFile(info, wanted) {
			continue
		}
		text, _ := os.ReadFile(filepath.Join(proc, "fdinfo", descriptor.Name())) // empty if closed meanwhile
		opener := parse(string(text))
		opener.PID = pid
		openers = append(openers, opener)
	}
	return openers
}

// parse parses a file /proc/PID/fdinfo/FD; see proc_pid_fdinfo(5) for the flags, and
// proc_locks(5) for the fields of a lock:
//
//	flags:	02100002
//	lock:	1: FLOCK  ADVISORY  WRITE 812 00:19:2468 0 EOF
func parse(text string) Opener {
	o := Opener{Flags: -1}
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		words := strings.Fields(rest)
		switch {
		case name == "flags" && len(words) == 1:
			if number, err := strconv.ParseInt(words[0], 8, 64); err == nil {
				o.Flags = int(number)
			}
		case name == "lock" && len(words) > 4 && words[1] == "FLOCK" && words[3] == "WRITE":
			o.Locked = true
			o.LockedBy, _ = strconv.Atoi(words[4]) // the kernel writes a number
		}
	}
	return o
}

// LockHolders returns the processes that hold the exclusive flock of a file: the one that
// took it, and those that inherited it. owned reports whether the one that took it is
// still among them.
func LockHolders(file os.FileInfo) (pids []int, owned bool) {
	for _, opener := range Of(file) {
		if opener.Locked {
			owned = owned || opener.LockedBy == opener.PID
			pids = append(pids, opener.PID)
		}
	}
	return slices.Compact(pids), owned // descriptors of one process are adjacent
}
