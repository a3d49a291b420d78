// Package ctl is a machine's control socket: HTTP on a Unix socket, spoken by
// our own tools, and by hand with curl --unix-socket.
//
//	GET  /status               the machine as JSON (Status)
//	POST /stop?timeout=30s     stop it; the answer is a StopReport
//	POST /stop?force=true      the same without asking the guest
//
// Only the process that owns the machine serves it; whoever can open the
// socket (mode 0600) may use it.
package ctl

import (
	"time"
)

// Status is a machine as its owner sees it; state.json holds the same.
type Status struct {
	Name    string    `json:"name"`
	State   string    `json:"state"`             // "starting", "running", "stopping"
	PID     int       `json:"pid"`               // of the owner
	QEMUPID int       `json:"qemuPid,omitempty"` // 0: not started yet
	Started time.Time `json:"started"`           // when the owner took the machine
	Accel   string    `json:"accel,omitempty"`   // "kvm", "tcg"
	Machine string    `json:"machine,omitempty"` // "q35", "microvm"
	// Consoles in the order of vm.json.
	Consoles []Console `json:"consoles"`
}

// Console is one console and its endpoint.
type Console struct {
	Name   string `json:"name"`   // "serial"
	Device string `json:"device"` // "ttyS0"
	Port   int    `json:"port"`   // TCP, on localhost
}

// StopRequest says how to stop a machine.
type StopRequest struct {
	// Timeout bounds the whole stop. 0: DefaultTimeout.
	Timeout time.Duration
	// Force leaves out the stages that ask the guest.
	Force bool
}

// DefaultTimeout is how long a stop may take unless told otherwise.
const DefaultTimeout = 30 * time.Second

// StopReport tells what stopped a machine.
type StopReport struct {
	// Stage is the one that worked: "acpi", "quit", "sigterm", "sigkill",
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
