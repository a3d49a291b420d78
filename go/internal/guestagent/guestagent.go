// Package guestagent speaks the guest agent protocol: QEMU's own, so that our
// programs work with every guest that runs qemu-ga, and other programs with
// ours. Here are its words and the host's end; package server has the guest's.
//
// Source: qga/qapi-schema.json in QEMU's tree, published as "QEMU Guest Agent
// Protocol Reference"; a message is one line of JSON in each direction.
//
// Invariants, of a guest that may be absent, broken or hostile:
//
//   - No request waits longer than its context, and none hurts the next one:
//     after one without an answer, the two ends synchronise first.
//   - What changes something in the guest is sent only after the guest has
//     just answered: it cannot wait in a buffer for the guest's next boot.
//   - A message is bounded; what is longer, and what nobody asked for, is
//     dropped while it is read and takes no memory.
package guestagent

import "microvm-console/internal/plaintext"

// PortName is the name of the virtio-serial port that an agent serves.
const PortName = "org.qemu.guest_agent.0"

// The commands of the protocol that this package speaks.
const (
	CommandSync          = "guest-sync"
	CommandSyncDelimited = "guest-sync-delimited"
	CommandPing          = "guest-ping"
	CommandInfo          = "guest-info"
	CommandShutdown      = "guest-shutdown"
	CommandExec          = "guest-exec"
	CommandExecStatus    = "guest-exec-status"
	CommandOSInfo        = "guest-get-osinfo"
	CommandGetTime       = "guest-get-time"
	CommandSetTime       = "guest-set-time"
)

// Two commands of ours. An agent that has them lists them in its Info; they
// are not to be sent to another one.
const (
	// CommandSetConsoleSize tells the guest the size of a console's window.
	CommandSetConsoleSize = "microvm-set-console-size"
	// CommandExecOutput gives the output of a command while it runs.
	CommandExecOutput = "microvm-exec-output"
)

// Delimiter is a byte that no JSON text holds. An agent sends it before its
// answer to CommandSyncDelimited; sent to an agent, it ends whatever message
// it was in the middle of.
const Delimiter = 0xFF

// Limits of one message, in bytes.
const (
	// MaxReply bounds an answer.
	MaxReply = 1 << 20
	// MaxStatusReply bounds the answer to CommandExecStatus: qemu-ga keeps
	// 16 MiB of each of two streams, which is a third more in base64.
	MaxStatusReply = 48 << 20
	// MaxInput bounds the standard input of one command.
	MaxInput = 4 << 20
)

// MaxWait bounds, in milliseconds, how long CommandExecOutput waits for output:
// requests take turns, and nobody else's may wait long.
const MaxWait = 200

// Error is the guest's refusal of a command.
type Error struct {
	Class       string `json:"class"`
	Description string `json:"desc"`
}

// Error returns the refusal in one line: the guest chooses its words.
func (e *Error) Error() string { return "guest: " + plaintext.Line(e.Description) }
