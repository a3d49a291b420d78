package guest

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

const (
	// A guest that restarts loopRestarts times within loopTime without becoming ready is
	// looping.
	loopRestarts = 5
	loopTime     = time.Minute
	// resetTime is the longest time between two resets of one restart.
	resetTime = 5 * time.Second
)

// announcement is in the line that Linux prints on all consoles before a restart that a program
// has requested (kernel_restart in kernel/reboot.c). It prints none before a triple fault, or
// before an emergency restart such as that of SysRq b.
const announcement = "reboot: Restarting system"

// resets counts the restarts of a guest since it was ready.
type resets struct {
	times   []time.Time // of the restarts within loopTime
	last    time.Time   // of the last restart, even if the guest was ready since
	printed int64       // by all consoles at the last restart
}

// span is a part of the output of each console: from one length of it to another.
type span struct{ from, to []int64 }

// add records a reset, and reports whether it is a new restart. A reset belongs to the last
// restart if it follows within resetTime and no console has printed anything in between: the
// firmware resets the machine again if it detects that the machine was running.
func (r *resets) add(printed int64, now time.Time) bool {
	if !r.last.IsZero() && printed == r.printed && now.Sub(r.last) < resetTime {
		return false
	}
	r.last, r.printed = now, printed
	old := func(then time.Time) bool { return now.Sub(then) > loopTime }
	r.times = append(slices.DeleteFunc(r.times, old), now)
	return true
}

func (r *resets) forget() { r.times = nil }

// Reset is called after a reset of the machine. ends are the lengths of the consoles' outputs at
// the reset; later output belongs to the next boot.
func (g *Guest) Reset(ends []int64, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	printed := int64(0)
	for _, end := range ends {
		printed += end
	}
	if g.resets.add(printed, now) {
		g.restarts++
		for i, c := range g.consoles {
			c.boots = append(c.boots, ends[i])
		}
	}
	g.boot = boot{began: now}
}

// CheckRestart returns an Error if the guest restarted because of a panic, or has restarted too
// often, or, with failOnReset, if the kernel has not announced a restart; otherwise nil. It is called
// after a restart, once all output before it has been read.
func (g *Guest) CheckRestart(failOnReset bool) *Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	ended := g.ended()
	if found, _ := g.findPanic(false); found != nil {
		return found
	}
	for _, boot := range ended {
		if found := g.reset(boot); failOnReset && found != nil {
			return found
		}
	}
	if n := len(g.resets.times); n >= loopRestarts {
		return g.errorOf(Looping, fmt.Sprintf("restarted %d times in a minute", n))
	}
	return nil
}

// ended returns the output of the boots that have ended since its last call. The caller holds g.mu.
func (g *Guest) ended() []span {
	var all []span
	for _, c := range g.consoles {
		for n := range len(c.boots) - 1 {
			if n == len(all) {
				all = append(all, span{})
			}
			all[n].from, all[n].to = append(all[n].from, c.boots[n]), append(all[n].to, c.boots[n+1])
		}
		c.boots = c.boots[len(c.boots)-1:]
	}
	return all
}

// reset returns an Error with the last lines of a boot that ended with a restart; nil if a console
// has printed the announcement in it. The caller holds g.mu.
func (g *Guest) reset(boot span) *Error {
	e := &Error{Cause: Reset, Message: "restarted by itself"}
	for i, c := range g.consoles {
		text := c.part(boot.from[i], boot.to[i])
		if bytes.Contains(text, []byte(announcement)) {
			return nil
		}
		if e.Device == "" && len(text) > 0 {
			e.Device, e.Lines = c.Device, lastLines(text, errorLines)
		}
	}
	return e
}

// part returns what is kept of a part of the output.
func (c *console) part(from, to int64) []byte {
	first := c.total - int64(len(c.kept))
	to = min(max(to-first, 0), int64(len(c.kept)))
	return c.kept[min(max(from-first, 0), to):to]
}
