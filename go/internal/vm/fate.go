package vm

import (
	"fmt"
	"io"
	"regexp"

	"microvm-console/internal/ctl"
	"microvm-console/internal/plaintext"
)

// Fate is how a guest has ended that nobody has asked to end.
type Fate string

// The fates.
const (
	// Panicked is a guest whose kernel has panicked.
	Panicked Fate = "guest panicked"
	// OutOfMemory is one whose kernel has panicked for want of memory.
	OutOfMemory Fate = "guest panicked, out of memory"
	// Looping is one that restarts again and again.
	Looping Fate = "guest restarts again and again"
	// Lost is one whose processors QEMU has stopped for good.
	Lost Fate = "guest lost"
)

// GuestError tells of a guest's fate.
type GuestError struct {
	Fate    Fate
	Message string // of a panic the kernel's line: "Kernel panic - not syncing: …"
	Device  string // the console that showed it, "" where none did
	// Lines are the last lines of that console, without their ends.
	Lines []string
}

func (e *GuestError) Error() string {
	text := fmt.Sprintf("%s: %s", e.Fate, e.Message)
	if e.Fate == OutOfMemory {
		text += " (give it more with memoryMiB)"
	}
	return text
}

// Is makes a panic one of ctl, too.
func (e *GuestError) Is(target error) bool { return target == ctl.ErrPanicked && e.Panic() }

// Panic tells whether the guest's kernel has panicked, for whatever cause.
func (e *GuestError) Panic() bool { return e.Fate == Panicked || e.Fate == OutOfMemory }

// fateLines is how many last lines a GuestError carries.
const fateLines = 40

// Show writes the console's last lines.
func (e *GuestError) Show(w io.Writer) {
	if len(e.Lines) == 0 {
		return
	}
	fmt.Fprintf(w, "--- the last lines of %s\n", e.Device)
	for _, line := range e.Lines {
		fmt.Fprintln(w, plaintext.Line(line))
	}
	fmt.Fprintln(w, "---")
}

// memoryPanic is in the words of a kernel that has panicked for want of memory:
// with panic_on_oom, or with no process left to kill (mm/oom_kill.c).
var memoryPanic = regexp.MustCompile(`(?i)out of memory|deadlocked on memory`)

// panicSays is the fate of a guest by its kernel's words.
func panicSays(message string) Fate {
	if memoryPanic.MatchString(message) {
		return OutOfMemory
	}
	return Panicked
}

// silentPanic is a panic of which no console shows anything.
func silentPanic() *GuestError {
	return &GuestError{Fate: Panicked, Message: "QEMU's panic device says so; no console shows the kernel's words"}
}

// fateOf is a fate with the last lines of the console that says most about it:
// the first one that has printed anything.
func (v *VM) fateOf(fate Fate, message string) *GuestError {
	e := &GuestError{Fate: fate, Message: message}
	for _, tap := range v.taps {
		if text, _ := tap.tail(); len(text) > 0 {
			e.Device, e.Lines = tap.console.Device, lastLines(text, fateLines)
			return e
		}
	}
	return e
}
