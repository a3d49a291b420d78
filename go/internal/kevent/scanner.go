package kevent

import (
	"bytes"
	"slices"
	"strings"
)

const (
	maxTitle  = 200 // bytes of a title
	maxFrames = 64  // frames of a trace
	maxLines  = 800 // lines of a report
	maxOther  = 60  // lines of something else within a report
	// lines between a headline and the first function, see head.limit
	maxUntimed, maxLoose = 40, 12
	maxOpen              = 16 // reports at the same time: of as many callers
	// A report ends if the kernel prints nothing that belongs to it for so long, in seconds of
	// its own time.
	maxPause = 30
)

// Scanner finds the events in a stream. Its zero value begins at the offset 0.
type Scanner struct {
	offset   int64  // of the byte after rest
	rest     []byte // a line, at most maxLine of it
	length   int64  // of that line
	returned bool   // it ends with "\r"

	open    []*report // in the order of their beginnings
	prelude prelude
	stamps  bool   // the kernel prints its time before each line
	kernel  bool   // a line was the kernel's
	last    string // the text of the line before, but for notes of a replay
	replay  bool   // the kernel prints that line again, which may be incomplete
}

// NewScanner returns a Scanner for a stream whose first byte has the given offset.
func NewScanner(offset int64) *Scanner { return &Scanner{offset: offset} }

// prelude is a line that only precedes reports: "------[ cut here ]------", "======".
type prelude struct {
	begin  int64
	caller string
	lines  int // that have come since
	set    bool
	rule   bool
}

// Feed processes the next bytes of the stream. It returns the events that have ended, in the
// order of their beginnings.
func (s *Scanner) Feed(data []byte) []Event {
	var events []Event
	for len(data) > 0 {
		if s.returned && data[0] != '\n' && data[0] != '\r' {
			events = append(events, s.line()...) // the next text overwrites it on a terminal
		}
		part, end := data, byte(0)
		if at := bytes.IndexAny(data, "\r\n"); at >= 0 {
			part, end = data[:at+1], data[at]
		}
		if room := maxLine + 64 - len(s.rest); room > 0 {
			s.rest = append(s.rest, part[:min(len(part), room)]...)
		}
		s.length += int64(len(part))
		s.offset += int64(len(part))
		if s.returned = end == '\r'; end == '\n' {
			events = append(events, s.line()...)
		}
		data = data[len(part):]
	}
	return events
}

// Skip processes a gap: n bytes of the stream are missing. Reports end there.
func (s *Scanner) Skip(n int64) []Event {
	events := s.Close()
	s.offset += n
	return events
}

// HasKernel reports whether the stream has had a line of a kernel: one with the kernel's time or another
// prefix of its log, the first line of a boot, or an event. Otherwise it is likely not a kernel's log.
func (s *Scanner) HasKernel() bool { return s.kernel }

// Close ends the stream, and returns the events that have not ended yet.
func (s *Scanner) Close() []Event {
	var events []Event
	if s.length > 0 {
		events = s.line()
	}
	s.prelude = prelude{}
	return append(events, s.end(func(*report) bool { return true })...)
}

// line processes the line that has ended.
func (s *Scanner) line() []Event {
	l := parse(bytes.TrimRight(s.rest, "\r\n"), s.offset-s.length, s.offset)
	s.rest, s.length, s.returned = s.rest[:0], 0, false
	return s.examine(l)
}

// boot matches the first line of a kernel.
const boot = "Linux version "

// replaying is what the kernel prints before a line that it prints again.
const replaying = "** replaying previous printk message **"

// replayed compares a line with the one before it, if the kernel prints that one again. known reports
// whether the whole line was there, and again whether it completes a headline.
func (s *Scanner) replayed(text string) (known, again bool) {
	if text == replaying {
		s.replay = true
		return true, false
	}
	last := s.last
	replay := s.replay && last != "" && strings.HasPrefix(text, last)
	s.last, s.replay = text, false
	if !replay || text == last {
		return replay, false
	}
	h, _ := findHead(last)
	return false, h != nil
}

func (s *Scanner) examine(l line) (events []Event) {
	s.kernel = s.kernel || l.stamped || l.prefixed || strings.HasPrefix(l.text, boot)
	known, again := s.replayed(l.text)
	if known {
		return nil
	}
	if strings.HasPrefix(l.text, boot) && (l.stamped || !s.stamps) { // not that of /proc/version
		s.stamps = l.stamped
		return s.end(func(*report) bool { return true })
	}
	if l.stamped {
		events = s.end(func(r *report) bool { return r.e.Time != nil && (l.time > r.last+maxPause || l.time < r.last-maxPause) })
	}
	if h, headline := findHead(l.text); h != nil && s.starts(h, headline, l) {
		return append(events, s.begin(h, headline, l, again)...)
	}
	s.note(l)
	owned := slices.ContainsFunc(s.open, func(r *report) bool { return r.caller == l.caller })
	for _, r := range s.open {
		r.add(l, owned)
	}
	return append(events, s.end((*report).over)...)
}

// starts reports whether a line with a head can be the kernel's, and begins or continues a report.
// What kmemleak has found is read from a file: a program prints it.
func (s *Scanner) starts(h *head, headline string, l line) bool {
	if s.stamps && !l.stamped && h.kind != Kmemleak {
		return false
	}
	limit := h.limit(l)
	return limit == 0 || !slices.ContainsFunc(s.open, func(r *report) bool {
		certain := r.limit == 0 || r.limit > limit
		return certain && r.caller == l.caller && len(r.calls.trace) == 0 && !r.continues(h, headline)
	})
}

// note remembers a line that precedes reports.
func (s *Scanner) note(l line) {
	if s.prelude.lines++; s.prelude.lines > 4 {
		s.prelude.set = false
	}
	cut := isCut(l.text)
	if cut || rule(l.text) && !s.prelude.set && s.whole(l.caller) == nil {
		s.prelude = prelude{begin: l.begin, caller: l.caller, set: true, rule: !cut}
	}
}

// isCut reports whether text is the line before the report of a BUG or a WARN.
func isCut(text string) bool {
	return text == "------------[ cut here ]------------" || strings.HasSuffix(text, cutHere)
}

// whole returns the open report of a caller to which every line belongs.
func (s *Scanner) whole(caller string) *report {
	for _, r := range s.open {
		if r.caller == caller && r.head.whole {
			return r
		}
	}
	return nil
}

// rule reports whether text is the line of "=" before and after a report.
func rule(text string) bool {
	return len(text) >= 20 && strings.Trim(text, "=") == ""
}

// continued returns the open report that a headline belongs to, or nil. The others of the same
// caller end, except for one that needs the trace of the report that begins.
func (s *Scanner) continued(h *head, headline string, l line, again bool) *report {
	for _, r := range slices.Backward(s.open) {
		if r.caller != l.caller {
			continue
		}
		if again || r.continues(h, headline) {
			return r
		}
		if !r.cutBy(h) {
			r.closed = true
		}
	}
	return nil
}

// begin begins a report, or continues one that has begun. again reports whether the line completes a
// headline.
func (s *Scanner) begin(h *head, headline string, l line, again bool) (events []Event) {
	if r := s.continued(h, headline, l, again); r != nil {
		r.lines++
		r.headline(h, headline, l)
		return s.end((*report).over)
	}
	events = s.end(func(r *report) bool { return r.closed })
	r := newReport(h, headline, l)
	if s.prelude.set && s.prelude.caller == l.caller && (h.whole || !s.prelude.rule) {
		r.e.Begin = s.prelude.begin
	}
	s.prelude = prelude{}
	for _, other := range s.open {
		if other.caller == l.caller && other.traced == nil && (h.kind == Panic || other.cutBy(h)) {
			other.traced = r
		}
	}
	s.open = append(s.open, r)
	if len(s.open) > maxOpen {
		s.open[0].closed = true
		events = append(events, s.end(func(r *report) bool { return r.closed })...)
	}
	return events
}

// end removes the open reports for which over returns true, and those before them that gave
// them their trace, and returns their events.
func (s *Scanner) end(over func(*report) bool) (events []Event) {
	if len(s.open) == 0 {
		return nil
	}
	for _, r := range s.open {
		if over(r) {
			r.closed = true
		}
	}
	for _, r := range slices.Backward(s.open) { // a report that waits for the trace of another
		if r.traced != nil && r.traced.closed {
			r.copyTrace()
		}
	}
	// Events come in the order of their beginnings.
	for len(s.open) > 0 && s.open[0].closed {
		if r := s.open[0]; r.limit == 0 {
			events = append(events, r.event())
			s.kernel = true
		}
		s.open = slices.Delete(s.open, 0, 1)
	}
	return events
}
