package verdict

import (
	"slices"
	"sync"

	"microvm-console/internal/kevent"
	"microvm-console/internal/plaintext"
)

// Judge reads the output of the consoles of one kernel, as it comes, and gives the verdict. It
// needs a bounded amount of memory for each event. Its methods may be called concurrently.
type Judge struct {
	rules Rules

	mu       sync.Mutex
	consoles []*console
	events   []Event
}

// maxEvents is how many events a Result has, one that fails beside them: a kernel may warn without
// end.
const maxEvents = 1000

// maxCopies is how many copies of an event a Result has.
const maxCopies = 100

// New returns a Judge for the consoles with the given devices, each of which begins at the
// offset 0 of its stream.
func New(rules Rules, devices ...string) *Judge {
	j := &Judge{rules: rules}
	for _, device := range devices {
		j.consoles = append(j.consoles, newConsole(device, 0))
	}
	return j
}

// Start sets the offset of the first byte of console i. It must be called before its output.
func (j *Judge) Start(i int, offset int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.consoles[i] = newConsole(j.consoles[i].device, offset)
}

// Feed processes output of console i.
func (j *Judge) Feed(i int, data []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.consoles[i]
	c.feed(data)
	j.add(c, c.scanner.Feed(data))
}

// Gap processes a gap in the output of console i. The offset of the next byte is n more than
// that of the last one; printed is how many bytes are missing, -1 if that is unknown.
// See journal.Gone.
func (j *Judge) Gap(i int, n, printed int64, cause string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.consoles[i]
	j.add(c, c.scanner.Skip(n))
	c.gap(n, printed, cause)
}

// Result ends the streams, and returns the verdict on them.
func (j *Judge) Result() Result {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.consoles {
		j.add(c, c.scanner.Close())
	}
	r := Result{Verdict: Clean, Events: j.events}
	if r.Events == nil {
		r.Events = []Event{}
	}
	printed := false
	for _, c := range j.consoles {
		uncovered, covered := j.gapsOf(c)
		r.Gaps, r.Covered = append(r.Gaps, uncovered...), append(r.Covered, covered...)
		printed = printed || c.printed()
	}
	switch {
	case len(r.Of(Fail)) > 0:
		r.Verdict = Broken
	case len(r.Gaps) > 0 || !printed:
		r.Verdict = Unknown
	}
	return r
}

// HasKernel reports whether a console has had a line of a kernel, see kevent.Scanner.HasKernel. After
// Result, the last line is included.
func (j *Judge) HasKernel() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.ContainsFunc(j.consoles, func(c *console) bool { return c.scanner.HasKernel() })
}

// add adds events that console c has printed, but for ignored ones. The caller holds the lock.
func (j *Judge) add(c *console, found []kevent.Event) {
	for _, event := range found {
		event.Title, event.Task = plaintext.Line(event.Title), plaintext.Line(event.Task)
		event.Fingerprint = plaintext.Line(event.Fingerprint)
		e := Event{Event: event, Console: c.device, Lines: c.lines(event.Begin, event.End)}
		if j.rules.judge(&e); e.Treatment == Ignore {
			continue
		}
		if known := j.known(e); known != nil {
			if j.before(e, *known) {
				e.Copies = known.Copies
				*known, e = e, *known
			}
			if len(known.Copies) < maxCopies {
				known.Copies = append(known.Copies, Place{e.Console, e.Begin})
			}
			continue
		}
		if len(j.events) < maxEvents || e.Treatment == Fail && !slices.ContainsFunc(j.events, Event.fails) {
			j.events = append(j.events, e)
		}
	}
}

// before reports whether the console of a precedes that of b: of two copies, a Result has the one on
// the first console, in whatever order they came.
func (j *Judge) before(a, b Event) bool {
	at := func(e Event) int {
		return slices.IndexFunc(j.consoles, func(c *console) bool { return c.device == e.Console })
	}
	return at(a) < at(b)
}

// known returns the event of which e is a copy; nil if e is a new one. Copies have the same
// time and headline. One without a time, as dmesg -t prints it, is a copy of any event with a
// time. If the kernel prints no times, the n-th of several equal events on one console is that on
// another.
func (j *Judge) known(e Event) *Event {
	for i := range j.events {
		k := &j.events[i]
		switch {
		case k.Kind != e.Kind || k.Title != e.Title || k.Function != e.Function && k.Function != "" && e.Function != "":
		case k.Time != nil && e.Time != nil:
			if *k.Time == *e.Time {
				return k
			}
		case k.Time != nil:
			return k
		case e.Time == nil && k.Console != e.Console && !k.on(e.Console):
			return k
		}
	}
	return nil
}

func (e Event) fails() bool { return e.Treatment == Fail }

// on reports whether the event has a copy on a console.
func (e Event) on(device string) bool {
	return slices.ContainsFunc(e.Copies, func(place Place) bool { return place.Console == device })
}
