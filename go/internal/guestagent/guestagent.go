// Package guestagent implements QEMU's guest agent protocol: its messages, and the host's end.
// Package server implements the guest's end. The programs of this project thus work with guests
// that run qemu-ga, and other programs work with microvm-agent.
//
// Source: qga/qapi-schema.json in QEMU, published as "QEMU Guest Agent Protocol Reference". A
// message is one line of JSON in each direction.
//
// The guest may be absent, broken or hostile. Invariants:
//
//   - No request waits longer than its context. After a request without an answer, the two ends
//     synchronize before the next one.
//   - A request that changes something in the guest is sent only after the guest has just
//     answered, so that it cannot stay in a buffer until the guest's next boot.
//   - Messages that are too long or unexpected are dropped while they are read, and use no
//     memory.
package guestagent

import "microvm-console/internal/plaintext"

// PortName is the name of the virtio-serial port that an agent serves.
const PortName = "org.qemu.guest_agent.0"

// The commands of the protocol that this project uses.
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

// Commands that microvm-agent adds to the protocol. They may be sent only to an agent whose Info
// lists them.
const (
	// CommandSetConsoleSize sets the size of a console's terminal.
	CommandSetConsoleSize = "microvm-set-console-size"
	// CommandExecOutput returns the output of a command while it runs.
	CommandExecOutput = "microvm-exec-output"
)

// Delimiter is a byte that is not valid in JSON. An agent sends it before its answer to
// CommandSyncDelimited. An agent that receives it drops the incomplete message before it.
const Delimiter = 0xFF

// Maximum lengths of messages, in bytes.
const (
	// MaxReply is for an answer.
	MaxReply = 1 << 20
	// MaxStatusReply is for the answer to CommandExecStatus: qemu-ga keeps 16 MiB of each of
	// two streams, which grow by a third in base64.
	MaxStatusReply = 48 << 20
	// MaxInput is for the standard input of a command.
	MaxInput = 4 << 20
)

// MaxWait is the longest wait of CommandExecOutput for output, in milliseconds. It delays other
// requests.
const MaxWait = 200

// Error is an error that the guest's agent returns for a command.
type Error struct {
	Class       string `json:"class"` // "GenericError", "CommandNotFound"
	Description string `json:"desc"`  // any bytes that the guest chooses
}

// Error returns the description as one line of printable characters, since the guest chooses it.
func (e *Error) Error() string { return "guest: " + plaintext.Line(e.Description) }
