// Package timeline draws a boot as an SVG: what each console printed over time, the milestones
// of the boot, the events of its kernel, and the checks that ran.
//
// Invariants: a picture is well-formed XML without scripts and without references to other
// files, whatever a guest has printed; see package plaintext. The same Boot gives the same
// picture.
package timeline

import (
	"slices"
	"strings"
	"time"
)

// Width is the width of a picture in pixels: that of a README.
const Width = 830

// Boot is what a picture shows.
type Boot struct {
	Title    string
	Start    time.Time // when QEMU started
	End      time.Time // when the boot ended, or the time of its last byte
	Ended    string    // how it ended, "powered off"; "" if it runs
	Consoles []Console
	Marks    []Mark // the milestones
	Events   []Event
	Checks   []Check
}

// Console is the output of a console over time.
type Console struct {
	Name   string
	Output []Output // in the order of time
}

// Output is a number of bytes that were printed at one time.
type Output struct {
	Time  time.Time
	Bytes int64
}

// Mark is a milestone of the boot, such as the first line of the kernel.
type Mark struct {
	Time time.Time
	Text string
}

// Event is an event of the kernel.
type Event struct {
	Time  time.Time
	Text  string // its kind and title
	Fails bool   // false for one that is only noted
}

// Check is a check of run-test that ran.
type Check struct {
	Name     string
	From, To time.Time
	Passed   bool
}

// idle is how many times longer than the boot proper a picture may be: the rest of a VM that
// runs for hours is left out.
const idle = 4

// shown returns the end of the picture. If that is before b.End, the time after it has only
// output.
func (b Boot) shown() time.Time {
	last := b.Start
	for _, mark := range b.Marks {
		last = later(last, mark.Time)
	}
	for _, event := range b.Events {
		last = later(last, event.Time)
	}
	for _, check := range b.Checks {
		last = later(last, check.To)
	}
	end := later(b.End, last)
	if boot := last.Sub(b.Start); boot > 0 && end.Sub(b.Start) > idle*boot {
		return last.Add(boot / 2)
	}
	return end
}

// milestones returns the marks that are drawn, in the order of time.
func (b Boot) milestones() []Mark {
	marks := []Mark{{b.Start, "QEMU starts"}}
	marks = append(marks, b.Marks...)
	if b.Ended != "" && !b.shown().Before(b.End) {
		how, _, _ := strings.Cut(b.Ended, ":") // the heading has the cause
		marks = append(marks, Mark{b.End, how})
	}
	slices.SortStableFunc(marks, func(one, other Mark) int { return one.Time.Compare(other.Time) })
	return marks
}
