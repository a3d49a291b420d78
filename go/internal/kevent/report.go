package kevent

import "strings"

// report is an event that has begun.
type report struct {
	e      *Event
	head   *head
	caller string
	last   float64 // the kernel's time of the last line that belongs to it
	lines  int     // since its first line
	other  int     // lines since the last one that belongs to it
	closed bool
	limit  int     // see head.limit; 0 once a function has come
	died   bool    // the number of an oops was there: "[#1]"
	traced *report // the report that follows before this one has a trace, as a panic
	calls  calls
}

func newReport(h *head, headline string, l line) *report {
	r := &report{e: &Event{Begin: l.begin}, limit: h.limit(l), caller: l.caller, last: l.time}
	if l.stamped {
		at := l.time
		r.e.Time = &at
	}
	if number, found := strings.CutPrefix(l.caller, "C"); found {
		r.setCPU([]string{l.caller, number})
	}
	r.headline(h, headline, l)
	return r
}

// add reads a line that follows the headline, if it belongs to the report. owned reports whether the
// caller of the line has a report of its own.
func (r *report) add(l line, owned bool) {
	if r.closed || r.traced != nil {
		return
	}
	r.lines++
	switch {
	case r.foreign(l, owned):
		r.other++
	case r.read(l):
		r.other = 0
		r.e.End, r.last = l.end, max(r.last, l.time)
		r.setTask(l.text)
		r.closed = r.closed || r.endsWith(l.text)
	case l.text != "":
		r.other++
	}
}

// foreign reports whether a line is from another caller, or not from the kernel.
func (r *report) foreign(l line, owned bool) bool {
	if l.caller == r.caller {
		return false
	}
	if l.caller == "" {
		return r.e.Time != nil && !l.stamped
	}
	// Other processors print a part of some reports, on request.
	asked := r.e.Kind == RCUStall || r.e.Kind == Lockup || r.e.Kind == Workqueue
	return owned || !asked
}

// endsWith reports whether text is the last line of the report.
func (r *report) endsWith(text string) bool {
	switch {
	case strings.Contains(text, "---[ end "):
		return true
	case r.e.Kind == Bug && strings.HasPrefix(text, "FIX "): // mm/slub.c
		return true
	}
	return rule(text) && r.lines > 2 && r.e.Kind != Lockdep
}

// over reports whether the report has ended.
func (r *report) over() bool {
	return r.closed || r.other > maxOther || r.lines > maxLines || r.limit > 0 && r.lines > r.limit
}

// cutBy reports whether a report that begins while this one has no trace has the trace instead:
// the panic that it causes, or what goes wrong while a stall is reported.
func (r *report) cutBy(h *head) bool {
	stall := r.e.Kind == RCUStall || r.e.Kind == Lockup
	return len(r.calls.trace) == 0 && (h.kind == Panic || stall && h.kind == Warning)
}

// copyTrace copies the trace of the report that has it.
func (r *report) copyTrace() {
	r.calls.copyTrace(r.traced.calls)
	if len(r.calls.trace) > 0 {
		r.limit = 0
	}
	r.closed, r.traced = true, nil
}
