package ctl

import "microvm-console/internal/plaintext"

// stageResults says how a machine has ended by a stage. They follow its name: "demo: shut down
// by the power button".
var stageResults = map[string]string{
	"agent":           "shut down by the guest agent",
	"acpi":            "shut down by the power button",
	"quit":            "ended by QEMU's quit command",
	"sigterm":         "ended by SIGTERM",
	"sigkill":         "ended by SIGKILL",
	"start cancelled": "start cancelled",
	"ended before":    "had already ended",
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
