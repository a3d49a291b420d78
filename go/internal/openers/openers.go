// Package openers finds the processes that have a file open, by proc(5).
//
// Only processes whose descriptors this user may read are seen: those of the user, and
// all of them for root. Which process has a file open changes at any time: an answer
// is good for what can be looked at again.
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
	// PID is the process.
	PID int
	// Flags are those of open(2), with the access mode among them; -1 if they cannot
	// be read.
	Flags int
	// Locked reports whether the descriptor has an exclusive flock(2). One that was
	// inherited has the lock of its origin.
	Locked bool
	// LockedBy is the process that took the lock. It is 0 if that process has ended and
	// this one is in a PID namespace: the kernel can no longer translate its number.
	LockedBy int
}

// Both reports whether the descriptor is open for reading and writing.
func (o Opener) Both() bool { return o.Flags >= 0 && o.Flags&unix.O_ACCMODE == unix.O_RDWR }

// Of returns the descriptors of all processes, this one among them, that have a file
// open. The file may have no name any more.
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

// ofProcess is Of for one process. One that has ended, or belongs to another user, has
// none.
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
		text, _ := os.ReadFile(filepath.Join(proc, "fdinfo", descriptor.Name())) // it may be closed again
		opener := parse(string(text))
		opener.PID = pid
		openers = append(openers, opener)
	}
	return openers
}

// parse reads the text of a file in /proc/PID/fdinfo; see proc_pid_fdinfo(5) for the
// flags, and proc_locks(5) for the fields of a lock:
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
			o.LockedBy, _ = strconv.Atoi(words[4]) // a number, by the kernel
		}
	}
	return o
}

// LockHolders returns the processes that hold the exclusive flock of a file: the one
// that took it, and those that inherited it. owned reports whether the one that took
// it is among them.
func LockHolders(file os.FileInfo) (pids []int, owned bool) {
	for _, opener := range Of(file) {
		if opener.Locked {
			owned = owned || opener.LockedBy == opener.PID
			pids = append(pids, opener.PID)
		}
	}
	return slices.Compact(pids), owned // those of a process are together
}
