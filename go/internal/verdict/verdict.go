// Package verdict decides whether a kernel has broken, by the events in its log (package
// kevent) and by what is missing in the log.
//
// Invariants: an event that several consoles print, or that dmesg prints again, is one event.
// A log with a gap is never clean, unless another console has the kernel's lines of that time.
package verdict

import (
	"errors"
	"fmt"
	"strings"

	"microvm-console/internal/kevent"
)

// Verdict is the verdict on a kernel's log.
type Verdict string

// The verdicts.
const (
	Clean   Verdict = "clean"   // no event fails, and the log is complete
	Broken  Verdict = "broken"  // an event fails
	Unknown Verdict = "unknown" // no event fails, but bytes of the log are missing, or it has none
)

// Treatment is what an event means for the verdict.
type Treatment string

// The treatments. A warning has one of the first three, by Rules.Warnings.
const (
	Fail    Treatment = "fail"    // the verdict is Broken
	Note    Treatment = "note"    // the event is only printed
	Ignore  Treatment = "ignore"  // the event is not in the Result
	Allowed Treatment = "allowed" // an Allowance matches; the event is only printed
)

// Treatments returns the treatments of warnings that a user can choose.
func Treatments() []Treatment { return []Treatment{Fail, Note, Ignore} }

// Result is the verdict on a log, with its reasons.
type Result struct {
	Verdict Verdict `json:"verdict"`
	Events  []Event `json:"events"`         // in the order in which they ended; not nil
	Gaps    []Gap   `json:"gaps,omitempty"` // those that no other console covers
	// Covered are the gaps during which another console has all that the kernel has printed.
	Covered []Gap `json:"covered,omitempty"`
}

// Event is an event that at least one console has printed.
type Event struct {
	kevent.Event           // as the console Console has it
	Console      string    `json:"console"` // the first of those that printed it, "ttyS0"; "" for a file
	Treatment    Treatment `json:"treatment"`
	Reason       string    `json:"reason,omitempty"` // of the allowance
	Copies       []Place   `json:"copies,omitempty"` // the later places of the same event
	Lines        []string  `json:"lines"`            // of the report, as printed; of a long one, the first and the last, with "… 7 more lines" between
}

// Place is the place of an event in the output of a console.
type Place struct {
	Console string `json:"console"`
	Begin   int64  `json:"begin"` // as kevent.Event.Begin
}

// Gap is a part of a console's output that is missing.
type Gap struct {
	Console string `json:"console"`
	Offset  int64  `json:"offset"` // at which the output continues
	Bytes   int64  `json:"bytes"`  // -1 if the number is unknown and may be zero
	Cause   string `json:"cause"`
}

// String returns a line about the event: its kind, function and headline. Allowances match it.
func (e Event) String() string {
	if e.Function == "" {
		return fmt.Sprintf("%s: %s", e.Kind, e.Title)
	}
	return fmt.Sprintf("%s in %s: %s", e.Kind, e.Function, e.Title)
}

// Where returns the place of the event for people: "ttyS0, offset 1234".
func (e Event) Where() string {
	where := fmt.Sprintf("offset %d", e.Begin)
	if e.Console != "" {
		where = e.Console + ", " + where
	}
	return where
}

// String returns a line about the gap.
func (g Gap) String() string {
	missing := "bytes may be missing"
	if g.Bytes > 0 {
		missing = fmt.Sprintf("%d bytes are missing", g.Bytes)
	}
	where := ""
	if g.Console != "" {
		where = " on " + g.Console
	}
	return fmt.Sprintf("%s%s before offset %d (%s)", missing, where, g.Offset, g.Cause)
}

// maxGapLines is how many lines a text has about gaps: a kernel may drop messages without end.
const maxGapLines = 10

// linesOf returns a line about each of some gaps, maxGapLines at most; the last one counts those left out.
func linesOf(gaps []Gap) []string {
	var lines []string
	for i, gap := range gaps {
		left := len(gaps) - i
		if i == maxGapLines-1 && left > 1 {
			return append(lines, fmt.Sprintf("bytes are missing at %d more places", left))
		}
		lines = append(lines, gap.String())
	}
	return lines
}

// Of returns the events with a treatment.
func (r Result) Of(treatment Treatment) []Event {
	var events []Event
	for _, e := range r.Events {
		if e.Treatment == treatment {
			events = append(events, e)
		}
	}
	return events
}

// Notes returns a line for each thing that fails nothing: events that are noted or allowed, with their
// places, and gaps that another console covers.
func (r Result) Notes() []string {
	var lines []string
	for _, e := range r.Of(Note) {
		lines = append(lines, fmt.Sprintf("the kernel's log: %s (%s)", e, e.Where()))
	}
	for _, e := range r.Of(Allowed) {
		lines = append(lines, fmt.Sprintf("the kernel's log: allowed (%s): %s (%s)", e.Reason, e, e.Where()))
	}
	for _, gap := range linesOf(r.Covered) {
		lines = append(lines, fmt.Sprintf("the kernel's log: %s, but another console has the kernel's lines of that time", gap))
	}
	return lines
}

// Empty reports whether the verdict is Unknown because no console has printed anything.
func (r Result) Empty() bool { return r.Verdict == Unknown && len(r.Gaps) == 0 }

// empty is why the verdict is Unknown if Empty returns true.
const empty = "no console has printed anything"

// Panicked reports whether the kernel has panicked and no allowance matches.
func (r Result) Panicked() bool {
	for _, e := range r.Of(Fail) {
		if e.Kind == kevent.Panic {
			return true
		}
	}
	return false
}

// Err returns nil if the verdict is Clean, and otherwise why it is not: each event that fails,
// with its place and its lines, or each gap. The line of an event begins with what an allowance can
// match. Events with the same fingerprint have one line, and the lines of the first one.
func (r Result) Err() error {
	var lines []string
	switch {
	case r.Verdict == Clean:
		return nil
	case r.Empty():
		return fmt.Errorf("%s: %s", Unknown, empty)
	case r.Verdict == Unknown:
		return fmt.Errorf("%s: %s", Unknown, strings.Join(linesOf(r.Gaps), "\n"))
	}
	var prints []string
	equal := map[string][]Event{} // by fingerprint
	for _, e := range r.Of(Fail) {
		if equal[e.Fingerprint] == nil {
			prints = append(prints, e.Fingerprint)
		}
		equal[e.Fingerprint] = append(equal[e.Fingerprint], e)
	}
	for _, print := range prints {
		first := equal[print][0]
		lines = append(lines, fmt.Sprintf("%s (%s%s)", first, first.Where(), times(equal[print])))
		lines = append(lines, first.indented()...)
	}
	return errors.New(strings.Join(lines, "\n"))
}

// times returns what the place of the first of equal events is followed by: how many there are, and when the
// last one came.
func times(events []Event) string {
	last := events[len(events)-1]
	switch {
	case len(events) == 1:
		return ""
	case last.Time == nil:
		return fmt.Sprintf("; %d times", len(events))
	}
	return fmt.Sprintf("; %d times, the last at %.1f s", len(events), *last.Time)
}
