package guest

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"microvm-console/internal/plaintext"
)

// Cause is why a guest has ended, or has to be ended, that was not asked to end.
type Cause string

const (
	// Panicked is a guest whose kernel has panicked.
	Panicked Cause = "guest panicked"
	// OutOfMemory is one whose kernel has panicked for want of memory.
	OutOfMemory Cause = "guest panicked, out of memory"
	// Looping is one that restarts again and again.
	Looping Cause = "guest restarts again and again"
	// Lost is one whose processors QEMU has stopped for good.
	Lost Cause = "guest lost"
)

// Error is returned for a guest that has ended, or was ended, for a Cause.
type Error struct {
	Cause   Cause
	Message string // of a panic, the kernel's line: "Kernel panic - not syncing: …"
	Device  string // the console that showed it; "": none did
	// Lines are the last lines of that console, without their ends.
	Lines []string
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s", e.Cause, e.Message)
	if e.Cause == OutOfMemory {
		text += " (give it more with memoryMiB)"
	}
	return text
}

// Panic reports whether the guest's kernel has panicked, for whatever cause.
func (e *Error) Panic() bool { return e.Cause == Panicked || e.Cause == OutOfMemory }

// errorLines is how many last lines an Error carries.
const errorLines = 40

// Show writes the console's last lines.
func (e *Error) Show(w io.Writer) {
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

// panicCause returns the cause that a kernel's words name.
func panicCause(message string) Cause {
	if memoryPanic.MatchString(message) {
		return OutOfMemory
	}
	return Panicked
}

// silentPanic is a panic that no console shows.
func silentPanic() *Error {
	return &Error{Cause: Panicked, Message: "QEMU's panic device says so; no console shows the kernel's words"}
}

// errorOf returns an Error with the last lines of the console that says most: the first
// one that has printed anything. The caller holds the lock.
func (g *Guest) errorOf(cause Cause, message string) *Error {
	e := &Error{Cause: cause, Message: message}
	for _, c := range g.consoles {
		if len(c.kept) > 0 {
			e.Device, e.Lines = c.Device, lastLines(c.kept, errorLines)
			return e
		}
	}
	return e
}

// Lose returns the Error of a guest whose processors QEMU has stopped for good.
func (g *Guest) Lose(message string) *Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.errorOf(Lost, message)
}

// lastLines splits the last n lines off text.
func lastLines(text []byte, n int) []string {
	lines := strings.Split(strings.ReplaceAll(strings.TrimRight(string(text), "\r\n"), "\r", ""), "\n")
	return lines[max(0, len(lines)-n):]
}
