package guest

import (
	"fmt"
	"slices"
	"time"
)

const (
	// loopRestarts is how often a guest restarts in loopTime without becoming ready
	// until it is looping.
	loopRestarts = 5
	loopTime     = time.Minute
	// resetTime is how long after a reset another one can belong to it.
	resetTime = 5 * time.Second
)

// resets are the restarts of a guest that has not been ready since.
type resets struct {
	times   []time.Time
	last    time.Time // of the last restart, whether the guest was ready since or not
	printed int64     // by all consoles, then
}

// add takes note of a reset, and reports whether it is a restart. A reset belongs to the
// restart before it if that is not long ago and no console has printed anything since:
// the firmware resets the machine again if it finds that it was running already.
func (r *resets) add(printed int64, now time.Time) bool {
	if !r.last.IsZero() && printed == r.printed && now.Sub(r.last) < resetTime {
		return false
	}
	r.last, r.printed = now, printed
	late := func(then time.Time) bool { return now.Sub(then) > loopTime }
	r.times = append(slices.DeleteFunc(r.times, late), now)
	return true
}

func (r *resets) forget() { r.times = nil }

// Reset is called when the machine was reset, with how much each console had printed then:
// what it prints from there on belongs to the next boot.
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

// CheckRestart returns an Error if the restart was the end of a guest that has panicked, or
// that has restarted too often. It is called once all that was printed before the restart
// has been read.
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
