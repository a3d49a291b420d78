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
	Panicked Cause = "panicked"
	// OutOfMemory is a guest whose kernel has panicked for want of memory.
	OutOfMemory Cause = "panicked, out of memory"
	// Looping is a guest that restarts again and again.
	Looping Cause = "looping"
	// Lost is a guest whose processors QEMU has stopped for good.
	Lost Cause = "lost"
)

// Error is returned for a guest that has ended, or was ended, for a Cause.
type Error struct {
	Cause Cause
	// Message is the kernel's line if it has panicked: "Kernel panic - not syncing: …".
	// Otherwise it says what has happened.
	Message string
	Device  string // the console that showed it; "": none did
	// Lines are the last lines of that console, without their ends.
	Lines []string
}

// How returns what has become of the guest: "panicked: Kernel panic - not syncing: …",
// "restarted 5 times in a minute", "lost: …". The guest's own words may be in it.
func (e *Error) How() string {
	if e.Cause == Looping {
		return e.Message
	}
	return fmt.Sprintf("%s: %s", e.Cause, e.Message)
}

func (e *Error) Error() string {
	text := "guest " + e.How()
	switch e.Cause {
	case OutOfMemory:
		text += " (give it more with memoryMiB)"
	case Looping:
		text += ", and was never ready (see why in what it printed before)"
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

// silentPanic returns the Error of a panic that no console shows.
func silentPanic() *Error {
	return &Error{Cause: Panicked, Message: "QEMU's panic device says so; no console shows the kernel's words"}
}

// errorOf returns an Error with the last lines of the first console that has printed
// anything. The caller holds the lock.
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

// Lost returns the Error of a guest whose processors QEMU has stopped for good; message
// says why.
func (g *Guest) Lost(message string) *Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.errorOf(Lost, message)
}

// lastLines splits the last n lines off text.
func lastLines(text []byte, n int) []string {
	lines := strings.Split(strings.ReplaceAll(strings.TrimRight(string(text), "\r\n"), "\r", ""), "\n")
	return lines[max(0, len(lines)-n):]
}
