package guest

import (
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

// resets counts the restarts of a guest since it was ready.
type resets struct {
	times   []time.Time // of the restarts within loopTime
	last    time.Time   // of the last restart, even if the guest was ready since
	printed int64       // by all consoles at the last restart
}

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
	for i, c := range g.consoles {
		c.boot = ends[i]
		printed += ends[i]
	}
	if g.resets.add(printed, now) {
		g.restarts++
	}
	g.boot = boot{began: now}
}

// CheckRestart returns an Error if the guest restarted because of a panic, or has restarted too
// often; otherwise nil. It is called after a restart, once all output before it has been read.
func (g *Guest) CheckRestart() *Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if found, _ := g.findPanic(false); found != nil {
		return found
	}
	if n := len(g.resets.times); n >= loopRestarts {
		return g.errorOf(Looping, fmt.Sprintf("restarted %d times in a minute", n))
	}
	return nil
}
