package guest

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"microvm-console/internal/plaintext"
)

// Cause is why a guest has failed.
type Cause string

const (
	// Panicked means that the guest's kernel has panicked.
	Panicked Cause = "panicked"
	// OutOfMemory means that the guest's kernel has panicked for lack of memory.
	OutOfMemory Cause = "panicked, out of memory"
	// Looping means that the guest restarts repeatedly and never becomes ready.
	Looping Cause = "looping"
	// Reset means that the guest has restarted, and its kernel has not announced it; see
	// Guest.CheckRestart.
	Reset Cause = "reset"
	// Lost means that QEMU has stopped the guest's processors and they cannot continue.
	Lost Cause = "lost"
)

// Error describes a guest that has failed.
type Error struct {
	Cause Cause
	// Message is the kernel's line after a panic: "Kernel panic - not syncing: …". For other
	// causes it says what has happened.
	Message string
	Device  string // the console that Lines are from; "" if there is none
	// Lines are the last lines of that console, without line ends.
	Lines []string
}

// How returns how the guest has failed: "panicked: Kernel panic - not syncing: …", "restarted 5
// times in a minute", "restarted by itself", "lost: …". It may contain any bytes that the guest has
// printed.
func (e *Error) How() string {
	if e.Cause == Looping || e.Cause == Reset {
		return e.Message
	}
	return fmt.Sprintf("%s: %s", e.Cause, e.Message)
}

// WithoutMessage returns the error's text without the kernel's message, for a text that has it.
func (e *Error) WithoutMessage() string {
	switch e.Cause {
	case Panicked:
		return "guest panicked"
	case OutOfMemory:
		return "guest panicked, out of memory (increase memoryMiB)"
	}
	return e.Error()
}

func (e *Error) Error() string {
	text := "guest " + e.How()
	switch e.Cause {
	case OutOfMemory:
		text += " (increase memoryMiB)"
	case Looping:
		text += " without becoming ready" + e.advice("its output may show why")
	case Reset:
		text += e.advice(`a crash, such as a triple fault: no console has printed "` + announcement + `"`)
	}
	return text
}

// advice returns text in parentheses, or, if no console has printed anything, what to check.
func (e *Error) advice(text string) string {
	if len(e.Lines) == 0 {
		return ", and no console has printed anything (is memoryMiB enough, is the kernel file complete?)"
	}
	return " (" + text + ")"
}

// Panic reports whether the guest's kernel has panicked.
func (e *Error) Panic() bool { return e.Cause == Panicked || e.Cause == OutOfMemory }

// errorLines is the maximum number of Error.Lines.
const errorLines = 40

// Show prints the console's last lines to w, as printable characters.
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

// memoryPanic matches the messages of panics for lack of memory: with panic_on_oom, or without a
// process left to kill (Linux, mm/oom_kill.c).
var memoryPanic = regexp.MustCompile(`(?i)out of memory|deadlocked on memory`)

// panicCause returns the cause for a kernel's message.
func panicCause(message string) Cause {
	if memoryPanic.MatchString(message) {
		return OutOfMemory
	}
	return Panicked
}

// silentPanic returns the Error of a panic that no console shows.
func silentPanic() *Error {
	return &Error{Cause: Panicked, Message: "reported by QEMU's panic device; no console shows the kernel's message"}
}

// errorOf returns an Error with the last lines of the first console that has printed anything.
// The caller holds g.mu.
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

// Lost returns an Error with the cause Lost. message says why QEMU has stopped the processors.
func (g *Guest) Lost(message string) *Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.errorOf(Lost, message)
}

// lastLines returns the last n lines of text, without line ends.
func lastLines(text []byte, n int) []string {
	lines := strings.Split(strings.ReplaceAll(strings.TrimRight(string(text), "\r\n"), "\r", ""), "\n")
	return lines[max(0, len(lines)-n):]
}
