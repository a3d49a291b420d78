// Package state is what a VM, or a channel's persistent relay, shows of itself: in
// state.json, in the answer to GET /status of its control socket, and in the tables
// that the programs print. The fields are those of the JSON objects.
package state

import (
	"strings"
	"time"
)

// Machine is a VM as the process that runs it sees it. A channel is a machine of one
// console, whose QEMU another process has started.
type Machine struct {
	Name    string    `json:"name"`
	State   string    `json:"state"`             // Starting, Booting, Ready, Stopping; of a channel Relaying
	PID     int       `json:"pid"`               // of the owner
	QEMUPID int       `json:"qemuPid,omitempty"` // 0: not started yet
	Started time.Time `json:"started"`           // when the owner took the machine
	Accel   string    `json:"accel,omitempty"`   // "kvm", "tcg"
	Machine string    `json:"machine,omitempty"` // "q35", "microvm"
	// ReadyBy is what has shown that the guest is ready: "login on ttyS0", "agent".
	ReadyBy string `json:"readyBy,omitempty"`
	// ReadySeconds is how long the guest took for that since it started, or
	// restarted.
	ReadySeconds float64 `json:"readySeconds,omitempty"`
	// Agent is set if the guest's agent answers.
	Agent bool `json:"agent,omitempty"`
	// Restarts is how often the guest has restarted itself.
	Restarts int `json:"restarts,omitempty"`
	// Ended is how the VM has ended, once QEMU has: "powered off", "stopped by acpi". The
	// clients still get what it has printed last.
	Ended string `json:"ended,omitempty"`
	// Notes are what the user should know, oldest first.
	Notes []Note `json:"notes,omitempty"`
	// Consoles in the order of vm.json.
	Consoles []Console `json:"consoles"`
}

// The states of a machine.
const (
	Starting = "starting" // QEMU does not run yet
	Booting  = "booting"  // QEMU runs, the guest is not ready
	Ready    = "ready"    // the guest's agent answers, or a console shows a login
	Stopping = "stopping" // its end was asked for
	Relaying = "relaying" // a channel
)

// Note is something that has happened in a machine.
type Note struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// Console is one console, its endpoints and its stream.
type Console struct {
	Name   string `json:"name"`             // "serial"
	Device string `json:"device,omitempty"` // "ttyS0"; of a channel QEMU's option, "-serial"
	Port   int    `json:"port,omitempty"`   // TCP, on localhost; 0: none
	// Refused is how many clients of the port were refused: those of other users, and
	// web browsers.
	Refused int `json:"refused,omitempty"`
	// Endpoints of a channel in the file system: its paths "in", "out", "sock",
	// "pty" and "log".
	Endpoints map[string]string `json:"endpoints,omitempty"`
	// Missing are those paths at which there is no endpoint of the relay's, as it was
	// removed, or something else has the name; and "localhost:PORT" for a port that
	// could not be opened. The relay tries again.
	Missing []string `json:"missing,omitempty"`
	// Trouble is why the relay cannot make one of Missing: "belongs to user 1001, not
	// to us".
	Trouble map[string]string `json:"trouble,omitempty"`
	// Relay is what the relay of this console does; nil where QEMU itself
	// serves the port.
	Relay *Relay `json:"relay,omitempty"`
}

// Files returns the paths of a channel's endpoints, which differ in their endings alone,
// as one word of a shell.
func (c Console) Files() string {
	return strings.TrimSuffix(c.Endpoints["in"], "in") + "{in,out,sock,pty,log}"
}

// Relay is the state of one console's relay. Offsets and sizes are in bytes.
type Relay struct {
	Socket   string `json:"socket"`   // Unix stream socket
	Journal  string `json:"journal"`  // the folder of the stream's files
	Attached bool   `json:"attached"` // QEMU has the VM side open
	Exact    bool   `json:"exact"`    // a killed relay loses no byte (the file system can splice)
	Boot     int    `json:"boot"`     // the number of this boot, from 1
	Start    int64  `json:"start"`    // offset at which this boot began
	Oldest   int64  `json:"oldest"`   // offset of the oldest byte that is kept
	End      int64  `json:"end"`      // offset behind the newest byte
	Input    int    `json:"input"`    // bytes typed that the guest has not read
	// FIFOBytes is how many bytes the FIFO from QEMU holds while the relay does not read:
	// WholeFIFO, or less for a user who has as much in pipes as the kernel allows.
	FIFOBytes int `json:"fifoBytes"`
	// Writer is the client that has the writer's seat; "": it is free, and
	// all clients may type.
	Writer string `json:"writer,omitempty"`
	// Clients in the order in which they came.
	Clients []Client `json:"clients"`
	// Crowded is how many clients were refused since there were MaxClients already.
	Crowded int `json:"crowded,omitempty"`
	// Gaps are bytes that were printed and could not be kept.
	Gaps []Gap `json:"gaps"`
}

// WholeFIFO is how many bytes the FIFO from QEMU is to hold.
const WholeFIFO = 1 << 20

// Client is a client of a relay.
type Client struct {
	Client   string    `json:"client"`   // the name that it gave, or its address
	Kind     string    `json:"kind"`     // "tcp", "unix", "stream"
	Since    time.Time `json:"since"`    // when it came
	Offset   int64     `json:"offset"`   // of the next byte for it
	Lag      int64     `json:"lag"`      // how many bytes it is behind
	Terminal bool      `json:"terminal"` // a terminal is at its end
	Writes   bool      `json:"writes"`   // it has the writer's seat
}

// Gap is a part of the stream that is missing at an offset.
type Gap struct {
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"` // 0: unknown, and possibly none
	Cause  string `json:"cause"`
}
