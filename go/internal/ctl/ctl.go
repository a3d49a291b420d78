// Package ctl is the client of the control socket of a machine, or of a channel's
// persistent relay: HTTP on a Unix socket. Package server answers the requests; curl
// --unix-socket can send them too.
//
//	GET  /status               the machine, or the channel, as JSON (state.Machine)
//	GET  /metrics              its consoles, for Prometheus
//	GET  /ready                the status, once the guest is ready
//	POST /stop?timeout=30s     stop the machine; the answer is a StopReport
//	POST /stop?force=true      the same without asking the guest
//	GET  /stream?console=serial&from=start   a console's bytes (StreamRequest)
//	POST /input?console=serial               type the body into it
//	POST /break?console=serial               send a break on its line
//	POST /size?console=serial&client=me&rows=24&columns=80   set the size of a client's terminal
//	POST /crash?dump=true      collect a crash bundle (CrashRequest, CrashBundle)
//	POST /exec                 run a command in the guest (ExecRequest, ExecFrame)
//	POST /boot                 a QEMU is about to start on the channel
//	POST /boot/restart         its guest has restarted by itself
//	POST /boot/end?how=text    its QEMU has ended
//	GET  /orders               requests to its launcher, one per line
//
// The /boot paths and /orders exist on a channel only, /stop, /ready, /size, /crash and /exec
// on a machine only. A channel has one console, so its name may be left out. Only the owner of
// the machine or the channel serves the socket. It has mode 0600: a process that can open
// it may send every request.
package ctl

import (
	"fmt"
	"strings"
	"time"

	"microvm-console/internal/plaintext"
)

// StopRequest says how to stop a machine.
type StopRequest struct {
	// Timeout bounds the whole stop. 0 means DefaultTimeout.
	Timeout time.Duration
	// Force skips the stages that ask the guest.
	Force bool
	// Button skips the agent: the power button alone asks the guest. Client.Stop does
	// not send it.
	Button bool
}

// DefaultTimeout bounds a stop whose request has no timeout.
const DefaultTimeout = 30 * time.Second

// StopReport says what stopped a machine.
type StopReport struct {
	// Stage is the one that worked: "agent", "acpi", "quit", "sigterm", "sigkill" or
	// "start canceled"; "" if none did.
	Stage string `json:"stage"`
	// Tried are the stages in the order in which they were tried, the one that worked
	// last.
	Tried []Attempt `json:"tried"`
}

// Attempt is one stage of a stop.
type Attempt struct {
	Stage   string  `json:"stage"`
	Result  string  `json:"result"` // "worked", or why it did not
	Seconds float64 `json:"seconds"`
}

// String returns how the machine was stopped, or that it still runs. If the guest had no part
// in the stop, it also returns why the earlier stages failed. It is one line of printable
// characters (package plaintext), as results may quote the guest.
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
