// Package ctl is the control socket of a machine, or of a channel's persistent
// relay: HTTP on a Unix socket, spoken by our own tools, and by hand with curl
// --unix-socket.
//
//	GET  /status               the machine, or the channel, as JSON (Status)
//	GET  /metrics              its consoles, for Prometheus
//	GET  /ready                the same, once the guest is ready
//	POST /stop?timeout=30s     stop it; the answer is a StopReport
//	POST /stop?force=true      the same without asking the guest
//	GET  /stream?console=serial&from=start   a console's bytes (StreamRequest)
//	POST /input?console=serial               what is typed into it
//	POST /break?console=serial               a break on its line
//	POST /size?console=serial&client=me&rows=24&columns=80   a terminal's size
//	POST /exec                 run a command in the guest (ExecRequest, ExecFrame)
//	POST /boot                 a QEMU is about to start on the channel
//	POST /boot/restart         its guest has restarted by itself
//	POST /boot/end?how=text    it has ended
//	GET  /orders               what its launcher is asked to do, line by line
//
// A machine cannot be told of a boot; a channel cannot be stopped, and is not
// waited for; a channel has
// one console, which need not be named. Only the owner serves the socket; whoever
// can open it (mode 0600) may use it.
package ctl

import (
	"fmt"
	"strings"
	"time"

	"microvm-console/internal/plaintext"
)

// StopRequest says how to stop a machine.
type StopRequest struct {
	// Timeout bounds the whole stop. 0: DefaultTimeout.
	Timeout time.Duration
	// Force leaves out the stages that ask the guest.
	Force bool
	// Button leaves out the agent: the guest is asked by the power button alone. It
	// has no place in a request.
	Button bool
}

// DefaultTimeout is how long a stop may take unless told otherwise.
const DefaultTimeout = 30 * time.Second

// StopReport tells what stopped a machine.
type StopReport struct {
	// Stage is the one that worked: "agent", "acpi", "quit", "sigterm", "sigkill",
	// "start cancelled", or "" where none did.
	Stage string `json:"stage"`
	// Tried are the stages in their order, the working one last.
	Tried []Attempt `json:"tried"`
}

// Attempt is one stage of a stop.
type Attempt struct {
	Stage   string  `json:"stage"`
	Result  string  `json:"result"` // "worked", or why it did not
	Seconds float64 `json:"seconds"`
}

// String is half a sentence: which stage worked, or that none did, and why those
// before it did not. It is one line of printable characters: a guest's words may be
// in it (package plaintext).
func (r StopReport) String() string {
	var failed []string
	seconds := 0.0
	for _, attempt := range r.Tried {
		seconds += attempt.Seconds
		if attempt.Stage != r.Stage {
			failed = append(failed, plaintext.Line(attempt.Stage+": "+attempt.Result))
		}
	}
	why := ""
	if len(failed) > 0 {
		why = " (" + strings.Join(failed, "; ") + ")"
	}
	switch {
	case r.Stage == "":
		return "still running" + why
	case len(r.Tried) == 0:
		return r.result()
	case r.forced():
		return fmt.Sprintf("%s in %.1f s%s", r.result(), seconds, why)
	}
	return fmt.Sprintf("%s in %.1f s", r.result(), seconds)
}
