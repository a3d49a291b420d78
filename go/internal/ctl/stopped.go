package ctl

import (
	"errors"

	"microvm-console/internal/plaintext"
)

// ErrNotStarted is returned by Client.Exec if the VM does not answer. The command may have been
// started or not.
var ErrNotStarted = errors.New("no answer")

// notStarted is an error with the text of its error, and ErrNotStarted.
type notStarted struct{ error }

func (e notStarted) Unwrap() []error { return []error{e.error, ErrNotStarted} }

// stageResults says how a machine has ended by a stage. They follow its name: "demo: shut down
// by the power button".
var stageResults = map[string]string{
	"agent":          "shut down by the guest agent",
	"acpi":           "shut down by the power button",
	"quit":           "stopped by QEMU's quit command",
	"sigterm":        "stopped by SIGTERM",
	"sigkill":        "stopped by SIGKILL",
	"start canceled": "start canceled",
	"ended before":   "had already ended",
}

// result returns how the machine has ended, as printable characters.
func (r StopReport) result() string {
	if text, ok := stageResults[r.Stage]; ok {
		return text
	}
	return "stopped by " + plaintext.Line(r.Stage) // a stage of another version
}

// forced reports whether the guest had no part in the end, so that it matters why the earlier
// stages failed.
func (r StopReport) forced() bool {
	return r.Stage == "quit" || r.Stage == "sigterm" || r.Stage == "sigkill"
}
