package ctl_test

import (
	"testing"

	"microvm-console/internal/ctl"
)

// A report names what ended the machine. It says why the earlier stages failed only if the guest
// had no part in the end.
func TestStopReportString(t *testing.T) {
	noAgent, noButton := ctl.Attempt{Stage: "agent", Result: "no answer"}, ctl.Attempt{Stage: "acpi", Result: "no effect", Seconds: 2}
	worked := func(stage string) ctl.Attempt { return ctl.Attempt{Stage: stage, Result: "worked", Seconds: 0.5} }
	for _, test := range []struct {
		stage string
		tried []ctl.Attempt
		want  string
	}{
		{"agent", []ctl.Attempt{worked("agent")}, "shut down by the guest agent in 0.5 s"},
		{"acpi", []ctl.Attempt{noAgent, worked("acpi")}, "shut down by the power button in 0.5 s"},
		{"quit", []ctl.Attempt{noAgent, noButton, worked("quit")}, "stopped by QEMU's quit command in 2.5 s (agent: no answer; acpi: no effect)"},
		{"sigkill", []ctl.Attempt{worked("sigkill")}, "stopped by SIGKILL in 0.5 s"},
		{"", []ctl.Attempt{noAgent, noButton}, "still running (agent: no answer; acpi: no effect)"},
		{"start canceled", nil, "start canceled"},
		{"ended before", nil, "had already ended"},
		{"x\x1b[2J", []ctl.Attempt{worked("x\x1b[2J")}, `stopped by x\x1b[2J in 0.5 s`},
	} {
		if got := (ctl.StopReport{Stage: test.stage, Tried: test.tried}).String(); got != test.want {
			t.Errorf("%q: got %q, want %q", test.stage, got, test.want)
		}
	}
}
