package kevent

import (
	"cmp"
	"regexp"
	"strings"
)

// calls are the functions in the lines of a report.
type calls struct {
	named       []string // those that the headline and other lines name
	pc          string   // that of the program counter
	trace       []frame
	path        []string // those of the trace, and of the program counters within it
	guessed     []string // those that are marked with "? "
	interrupted []string // those that an interrupt had called as it took the lock of the report
	next        purpose  // of the next function
	backtrace   bool     // the last part of the report, the trace, has begun
	frozen      bool     // the trace is complete
}

// purpose is what a line says about the function in the next one.
type purpose int

const (
	calling      purpose = iota // it is a frame of the trace
	locking                     // it takes or releases the lock of the report
	interrupting                // an interrupt had called it as it took the lock, and those that follow
	disabling                   // it has disabled preemption
)

var (
	lockName = regexp.MustCompile(`, at: *(?:\[<[^>]*>\] *)?([A-Za-z_][\w.$]*)\+0x`)
	acquires = regexp.MustCompile(`(?:is trying to (?:acquire|release)|is already holding|^\S+/\d+ .*takes:|is freeing memory|just changed the state)`)
)

// expect notes what a line without a function says about the next one.
func (c *calls) expect(text string, kind Kind) {
	switch {
	case strings.HasPrefix(text, "Preemption disabled at:"):
		c.next = disabling
	case kind == Lockdep && strings.HasSuffix(text, "-irq-safe at:"):
		c.next, c.interrupted = interrupting, nil
	case kind == Lockdep && acquires.MatchString(text):
		c.next = locking
	case c.next == disabling, c.next == interrupting && text != "":
		c.next = calling
	}
}

// read adds the function in a line, and reports whether it has one.
func (c *calls) read(text string) bool {
	if f, found := parseFrame(text); found {
		c.add(f)
		return true
	}
	if !strings.Contains(text, "+0x") {
		return false
	}
	match := counter.FindStringSubmatch(text)
	if match != nil && !c.frozen {
		c.path = append(c.path, plainName(match[1]))
	}
	if match == nil {
		match = link.FindStringSubmatch(text) // what was called had no name
	}
	if match != nil {
		c.pc = cmp.Or(c.pc, plainName(match[1]))
		return true
	}
	match = lockName.FindStringSubmatch(text)
	if match != nil && c.next == locking {
		c.named, c.next = append(c.named, plainName(match[1])), calling
	}
	return match != nil
}

// add adds the function of a frame.
func (c *calls) add(f frame) {
	switch next := c.next; {
	case next == disabling:
		c.next = calling
	case next == interrupting:
		c.interrupted = append(c.interrupted, f.name)
	case next == locking:
		c.named, c.next = append(c.named, f.name), calling
	case f.certain && !c.frozen:
		c.trace, c.path = append(c.trace, f), append(c.path, f.name)
	case !c.frozen:
		c.guessed = append(c.guessed, f.name)
	}
}

// copyTrace copies the trace of another report.
func (c *calls) copyTrace(from calls) {
	if len(c.trace) == 0 {
		c.trace, c.path = from.trace, from.path
	}
	c.pc = cmp.Or(c.pc, from.pc)
}
