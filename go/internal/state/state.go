// Package state defines the status of a VM or of a channel's persistent relay, as shown
// in state.json, in the response to GET /status on its control socket, and in the tables
// that the programs print. The fields are those of the JSON objects.
package state

import (
	"strings"
	"time"
)

// Machine is the status of a VM. A channel is a machine with one console whose QEMU is
// started by another process.
type Machine struct {
	Name    string    `json:"name"`
	State   string    `json:"state"`             // Starting, Booting, Ready or Stopping; for a channel Relaying
	PID     int       `json:"pid"`               // process that runs the VM or the relay
	QEMUPID int       `json:"qemuPid,omitempty"` // 0 before QEMU is started
	Started time.Time `json:"started"`           // when the owner locked the machine
	Accel   string    `json:"accel,omitempty"`   // "kvm" or "tcg"
	Machine string    `json:"machine,omitempty"` // "q35" or "microvm"
	// ReadyBy is what has shown that the guest is ready: "login on ttyS0" or "agent".
	ReadyBy string `json:"readyBy,omitempty"`
	// ReadySeconds is how long the guest took to become ready after its start or restart.
	ReadySeconds float64 `json:"readySeconds,omitempty"`
	// Agent is set if the guest agent responds.
	Agent bool `json:"agent,omitempty"`
	// Restarts is the number of restarts by the guest itself.
	Restarts int `json:"restarts,omitempty"`
	// Ended is the exit cause once QEMU has ended, such as "powered off" or "stopped by
	// acpi". Clients still receive the last output at that time.
	Ended string `json:"ended,omitempty"`
	// Notes are messages for the user, oldest first.
	Notes []Note `json:"notes,omitempty"`
	// GDB is the Unix socket on which QEMU serves gdb; "" if it does not.
	GDB string `json:"gdb,omitempty"`
	// Paused is set while gdb or QEMU's monitor has paused the guest, and before the start of
	// its processors with -S.
	Paused bool `json:"paused,omitempty"`
	// Forwards are the forwarded ports in the order of vm.json.
	Forwards []Forward `json:"forwards,omitempty"`
	// Consoles are in the order of vm.json.
	Consoles []Console `json:"consoles"`
}

// Forward leads from a port on 127.0.0.1 into the guest.
type Forward struct {
	Host     int    `json:"host"`     // port on 127.0.0.1
	Guest    int    `json:"guest"`    // port in the guest
	Protocol string `json:"protocol"` // "tcp" or "udp"
}

// All has the running VMs and channels of a user.
type All struct {
	VMs      []Machine `json:"vms"`
	Channels []Machine `json:"channels"`
}

// The states of a machine.
const (
	Starting = "starting" // QEMU is not running yet
	Booting  = "booting"  // QEMU is running, the guest is not ready
	Ready    = "ready"    // the guest agent responds, or a console shows a login prompt
	Stopping = "stopping" // the VM has been asked to stop
	Relaying = "relaying" // a channel
)

// Note is a message about an event.
type Note struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// Console is a console with its endpoints and its stream.
type Console struct {
	Name   string `json:"name"`             // such as "serial"
	Device string `json:"device,omitempty"` // such as "ttyS0"; for a channel QEMU's option, such as "-serial"
	Port   int    `json:"port,omitempty"`   // TCP port on localhost; 0 if none
	// Refused is the number of clients of the port that were refused because they were
	// web browsers or belonged to other users.
	Refused int `json:"refused,omitempty"`
	// Endpoints are the paths of a channel's endpoints in the file system, by name: "in",
	// "out", "sock", "pty" and "log".
	Endpoints map[string]string `json:"endpoints,omitempty"`
	// Missing are the paths at which the relay has no endpoint, because it was removed or
	// the path belongs to another file, and "localhost:PORT" for a port that could not be
	// opened. The relay tries again.
	Missing []string `json:"missing,omitempty"`
	// Trouble is why the relay cannot create one of Missing, such as "belongs to user
	// 1001".
	Trouble map[string]string `json:"trouble,omitempty"`
	// Relay is the state of the console's relay; nil if QEMU itself serves the port.
	Relay *Relay `json:"relay,omitempty"`
}

// Lost returns the number of printed bytes that are missing from the stream. unknown
// reports whether there are gaps of unknown size.
func (r *Relay) Lost() (bytes int64, unknown bool) {
	for _, gap := range r.Gaps {
		bytes += gap.Bytes
		unknown = unknown || gap.Bytes == 0
	}
	return bytes, unknown
}

// Files returns the paths of a channel's endpoints, which differ only in their suffixes,
// as a brace expression of the shell.
func (c Console) Files() string {
	return strings.TrimSuffix(c.Endpoints["in"], "in") + "{in,out,sock,pty,log}"
}

// Relay is the state of a console's relay. Offsets and sizes are in bytes.
type Relay struct {
	Socket   string `json:"socket"`   // Unix stream socket
	Journal  string `json:"journal"`  // folder of the journal's files
	Attached bool   `json:"attached"` // QEMU has the VM side open
	Exact    bool   `json:"exact"`    // no byte is lost if the relay is killed (the file system supports splice)
	Boot     int    `json:"boot"`     // number of the current boot, from 1
	Start    int64  `json:"start"`    // offset at which the current boot began
	Oldest   int64  `json:"oldest"`   // offset of the oldest byte that is kept
	End      int64  `json:"end"`      // offset just after the newest byte
	Input    int    `json:"input"`    // typed bytes that the guest has not read
	// FIFOBytes is the capacity of the FIFO from QEMU: WholeFIFO, or less if the user has
	// used up the pipe buffers that the kernel allows.
	FIFOBytes int `json:"fifoBytes"`
	// Writer is the client that has the writer's seat; "" if the seat is free and all
	// clients may type.
	Writer string `json:"writer,omitempty"`
	// Clients are in the order in which they connected.
	Clients []Client `json:"clients"`
	// Crowded is the number of clients that were refused because of relay.MaxClients.
	Crowded int `json:"crowded,omitempty"`
	// Gaps are the missing parts of the stream.
	Gaps []Gap `json:"gaps"`
}

// WholeFIFO is the intended capacity of the FIFO from QEMU, in bytes.
const WholeFIFO = 1 << 20

// Client is a client of a relay.
type Client struct {
	Client   string    `json:"client"`   // name chosen by the client, or its address
	Kind     string    `json:"kind"`     // "tcp", "unix", "stream", "fifo" or "pty"
	Since    time.Time `json:"since"`    // when it connected
	Offset   int64     `json:"offset"`   // offset of the next byte it reads
	Lag      int64     `json:"lag"`      // number of bytes it has not read
	Terminal bool      `json:"terminal"` // the client is a terminal
	Writes   bool      `json:"writes"`   // the client has the writer's seat
}

// Gap is a missing part of the stream.
type Gap struct {
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"` // 0 if the number is unknown and may be zero
	Cause  string `json:"cause"`
}
