// Package guest decides on the state of a guest: whether it is booting or ready, has panicked,
// restarts repeatedly, or is lost. Its input is the output of the consoles and the reports of
// QEMU and the guest's agent. It does not start, query or end any process.
//
// Console output proves little, since any program in the guest can print it. A panic counts if
// QEMU's panic device reports it, or if a restart follows the kernel's message. The message
// alone counts only if all consoles and an agent that has answered before are silent.
package guest

import (
	"bytes"
	"sync"
	"time"
)

// Console is a console of the guest.
type Console struct {
	Device string // "ttyS0"
	Login  bool   // a login prompt on it means that the guest is ready
}

// tailBytes is how much of the end of each console's output is kept.
const tailBytes = 64 << 10

// console is a Console and its output.
type console struct {
	Console
	lines lines
	kept  []byte    // the end of the output
	total int64     // bytes printed, as far as they have been read
	last  time.Time // when the last bytes were read
	boots []int64   // bytes printed before each boot since the last CheckRestart, the last of which is this one
}

// boot is the state since the last start or restart of the guest.
type boot struct {
	began time.Time
	login string // the first device with a login prompt
	port  bool   // the guest has its agent's port open
	agent bool   // the agent has answered
	ready State  // ReadyBy and ReadySeconds
}

// Guest is the state of a guest. Its methods may be called concurrently.
type Guest struct {
	mu       sync.Mutex
	read     *sync.Cond    // signaled when more output has been read
	printed  chan struct{} // closed once a console has printed
	consoles []*console
	boot     boot
	restarts int
	resets   resets
}

// State is the current state of a guest.
type State struct {
	Agent        bool    // the guest's agent answers
	Port         bool    // the guest has its agent's port open
	Restarts     int     // number of restarts
	ReadyBy      string  // "login on ttyS0" or "agent"; "" if the guest is not ready
	ReadySeconds float64 // seconds from the last start or restart until then
}

// New returns a guest that has not started, with its consoles in the order of their indexes.
func New(consoles []Console) *Guest {
	g := &Guest{printed: make(chan struct{})}
	g.read = sync.NewCond(&g.mu)
	for _, c := range consoles {
		g.consoles = append(g.consoles, &console{Console: c, boots: []int64{0}})
	}
	return g
}

// Start is called when the guest starts.
func (g *Guest) Start(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.boot = boot{began: now}
}

// Begin is called when the processors of a guest that was started paused run for the first time.
// ReadySeconds counts from now on.
func (g *Guest) Begin(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.boot.began = now
}

// State returns the guest's state.
func (g *Guest) State() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.boot.ready
	s.Agent, s.Port, s.Restarts = g.boot.agent, g.boot.port, g.restarts
	return s
}

// Print processes output of console i. data is the output up to the offset end; some output
// before data may be missing. Print returns a sentence for each process that the kernel has
// killed for lack of memory.
func (g *Guest) Print(i int, data []byte, end int64, now time.Time) (killed []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	defer g.read.Broadcast()
	c := g.consoles[i]
	at := end - int64(len(data))
	if len(data) > 0 {
		c.last = now
		c.keep(data)
	}
	if end > 0 && g.silent() {
		close(g.printed)
	}
	c.total = end
	for len(data) > 0 {
		part := data
		if left := c.boot() - at; left > 0 && left < int64(len(data)) {
			part = data[:left] // of the last boot: its login prompts do not count
		}
		login, dead := c.lines.feed(part)
		at, data = at+int64(len(part)), data[len(part):]
		killed = append(killed, dead...)
		if login && c.Login && at > c.boot() && g.boot.login == "" {
			g.boot.login = c.Device
		}
	}
	return killed
}

// boot returns how many bytes were printed before this boot.
func (c *console) boot() int64 { return c.boots[len(c.boots)-1] }

func (c *console) keep(data []byte) {
	c.kept = append(c.kept, data...)
	if len(c.kept) > 2*tailBytes {
		c.kept = bytes.Clone(c.kept[len(c.kept)-tailBytes:])
	}
}

// AwaitRead waits until the output of each console has been read up to the offsets ends, for
// limit at most. It reports whether that is the case.
func (g *Guest) AwaitRead(ends []int64, limit time.Duration) bool {
	late := false
	timer := time.AfterFunc(limit, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		late = true
		g.read.Broadcast()
	})
	defer timer.Stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range ends {
		for g.consoles[i].total < ends[i] && !late {
			g.read.Wait()
		}
	}
	return !late
}

// Tail returns up to n last lines of console i, without line ends, and the number of bytes that
// it has printed.
func (g *Guest) Tail(i, n int) (lines []string, total int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.consoles[i]
	return lastLines(c.kept, n), c.total
}

// Printed is closed once a console has printed something.
func (g *Guest) Printed() <-chan struct{} { return g.printed }

// silent reports whether no console has printed anything. The caller holds g.mu.
func (g *Guest) silent() bool { return g.total() == 0 }

// SetPort sets whether the guest has its agent's port open. An agent whose port is closed does
// not answer.
func (g *Guest) SetPort(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.boot.port = open
	g.boot.agent = g.boot.agent && open
}

// Answered is called when the guest's agent has answered a request that was sent after the
// given number of restarts.
func (g *Guest) Answered(restarts int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.boot.agent = g.boot.port && g.restarts == restarts
}

// CheckReady reports whether the guest is ready and was not before.
func (g *Guest) CheckReady(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	by := ""
	switch {
	case g.boot.agent:
		by = "agent"
	case g.boot.login != "":
		by = "login on " + g.boot.login
	}
	if by == "" || g.boot.ready.ReadyBy != "" {
		return false
	}
	g.boot.ready = State{ReadyBy: by, ReadySeconds: now.Sub(g.boot.began).Seconds()}
	g.resets.forget()
	return true
}
