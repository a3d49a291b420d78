// Package guest decides what has become of a guest: whether it is booting or ready, has
// panicked, restarts again and again, or is lost. It is fed with what the consoles print
// and what QEMU and the guest's agent report, and touches no process itself.
//
// What a console prints proves little, as any program in the guest can print it. A panic is
// believed if QEMU's panic device or a restart right behind the kernel's words proves it;
// words alone need the silence of all consoles and of an agent that has answered before.
package guest

import (
	"bytes"
	"sync"
	"time"
)

// Console is a console of the guest.
type Console struct {
	Device string // "ttyS0"
	Login  bool   // a login on it shows that the guest is ready
}

// tailBytes is how much of each console's end is kept.
const tailBytes = 64 << 10

// console is what is known of a Console.
type console struct {
	Console
	lines lines
	kept  []byte    // the end of what it printed
	total int64     // bytes ever printed, as far as they have been read
	last  time.Time // when the last of them were read
	boot  int64     // how many were printed before this boot
}

// boot is what is known since the guest has started, or restarted.
type boot struct {
	began time.Time
	login string // the first device with a login on it
	port  bool   // the guest has its agent's port open
	agent bool   // its agent has answered
	ready State  // ReadyBy and ReadySeconds
}

// Guest is a guest. It may be used by several goroutines at once.
type Guest struct {
	mu       sync.Mutex
	read     *sync.Cond    // when more has been read of a console
	printed  chan struct{} // closed when a console has printed
	consoles []*console
	boot     boot
	restarts int
	resets   resets
}

// State is a guest as it is now.
type State struct {
	Agent        bool    // the guest's agent answers
	Port         bool    // the guest has its agent's port open
	Restarts     int     // how often it has restarted
	ReadyBy      string  // "login on ttyS0", "agent"; "": it is not ready
	ReadySeconds float64 // how long that took since its start, or restart
}

// New returns a guest that has not started.
func New(consoles []Console) *Guest {
	g := &Guest{printed: make(chan struct{})}
	g.read = sync.NewCond(&g.mu)
	for _, c := range consoles {
		g.consoles = append(g.consoles, &console{Console: c})
	}
	return g
}

// Start is called when the guest starts.
func (g *Guest) Start(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.boot = boot{began: now}
}

// State returns the guest's state.
func (g *Guest) State() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.boot.ready
	s.Agent, s.Port, s.Restarts = g.boot.agent, g.boot.port, g.restarts
	return s
}

// Print takes what console i has printed. end is how many bytes it has printed in all;
// data are the last of them, without those that are no longer kept. It returns a sentence
// for each process that the kernel has killed for want of memory.
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
		if left := c.boot - at; left > 0 && left < int64(len(data)) {
			part = data[:left] // of the boot before: it says nothing about now
		}
		login, dead := c.lines.feed(part)
		at, data = at+int64(len(part)), data[len(part):]
		killed = append(killed, dead...)
		if login && c.Login && at > c.boot && g.boot.login == "" {
			g.boot.login = c.Device
		}
	}
	return killed
}

func (c *console) keep(data []byte) {
	c.kept = append(c.kept, data...)
	if len(c.kept) > 2*tailBytes {
		c.kept = bytes.Clone(c.kept[len(c.kept)-tailBytes:])
	}
}

// AwaitRead waits until each console's bytes have been read up to ends, for limit at most,
// and reports whether they have.
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
	behind := func(i int) bool { return g.consoles[i].total < ends[i] }
	for i := range ends {
		for behind(i) && !late {
			g.read.Wait()
		}
	}
	return !late
}

// Tail returns the last lines of console i, up to n, without their ends, and how many
// bytes it has printed in all.
func (g *Guest) Tail(i, n int) (lines []string, total int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.consoles[i]
	return lastLines(c.kept, n), c.total
}

// Printed is closed when a console has printed something.
func (g *Guest) Printed() <-chan struct{} { return g.printed }

// silent reports whether no console has printed anything yet. The caller holds the lock.
func (g *Guest) silent() bool { return g.total() == 0 }

// SetPort is called when the guest has opened or closed its agent's port. An agent whose
// port is closed does not answer.
func (g *Guest) SetPort(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.boot.port = open
	g.boot.agent = g.boot.agent && open
}

// Answered is called when the guest's agent has answered a question that was asked after
// so many restarts.
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
