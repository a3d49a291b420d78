package kevent

import (
	"cmp"
	"slices"
	"strings"
)

// event returns the finished event.
func (r *report) event() Event {
	for _, f := range r.calls.trace[:min(len(r.calls.trace), maxFrames)] {
		r.e.Trace = append(r.e.Trace, f.text)
	}
	r.e.Function = r.function()
	r.e.Fingerprint = r.e.fingerprint()
	return *r.e
}

// function returns the function that the report is about.
func (r *report) function() string {
	if r.loops() {
		if name := r.calledPart(); name != "" {
			return name
		}
	}
	c := &r.calls
	candidates := append(slices.Clone(c.interrupted), c.named...)
	if r.e.Kind != HungTask && c.pc != "" {
		candidates = append(candidates, c.pc)
	}
	if candidates = append(candidates, c.path...); len(candidates) == 0 && r.e.Kind == Oops {
		candidates = c.guessed // after a jump to an address that is not the kernel's
	}
	return r.culprit(candidates)
}

// loops reports whether the report is about a loop or a recursion: its innermost functions differ
// from one report to the next.
func (r *report) loops() bool {
	return r.e.Kind == RCUStall || r.e.Kind == Lockup || strings.Contains(r.e.Title, "corrupted stack end") ||
		strings.Contains(r.e.Title, "stack guard page") || strings.Contains(r.e.Title, "kernel stack overflow")
}

// smpCall begins the names of the functions that wait for other processors.
const smpCall = "smp_call_function"

// calledPart returns the function that the innermost of the callers has called.
func (r *report) calledPart() string {
	path := r.calls.path
	if at := slices.IndexFunc(path, interrupts.MatchString); at >= 0 && r.e.Kind == RCUStall {
		path = path[at+1:] // what was interrupted
	}
	called := ""
	for _, name := range path {
		switch {
		case strings.HasPrefix(name, smpCall):
			return smpCall
		case callers.MatchString(name):
			return cmp.Or(called, name)
		case !interrupts.MatchString(name) && !r.helps(name):
			called = name
		}
	}
	return ""
}

// culprit returns the first of the functions that is not a helper; without one, the first that
// has not printed the report, or "" for a panic, which may be about none.
func (r *report) culprit(names []string) string {
	helper := ""
	for _, name := range names {
		switch {
		case r.e.Kind == HungTask && synchronizes.MatchString(name): // the variants wait for the same
			return "synchronize_rcu"
		case r.e.Kind == HungTask && name == "rtnl_lock":
			return name
		case !r.helps(name):
			return name
		case helper == "" && !reporting.MatchString(name):
			helper = name
		}
	}
	if r.e.Kind == Panic {
		return ""
	}
	if helper == "" && len(names) > 0 {
		return names[0]
	}
	return helper
}

// synchronizes matches the functions that wait for the end of a grace period of RCU.
var synchronizes = table(`synchronize_(?:rcu|srcu|net|sched)\w*`)

// helps reports whether a function is a helper, or prints, for a report of this kind.
func (r *report) helps(name string) bool {
	if reporting.MatchString(name) || helpers.MatchString(name) {
		return true
	}
	if r.e.Kind == HungTask && !strings.Contains(r.e.Title, "can't die") {
		return waits.MatchString(name)
	}
	for _, a := range helpersOf {
		if a.kind == r.e.Kind && strings.Contains(r.e.Title, a.title) && a.names.MatchString(name) {
			return true
		}
	}
	return false
}
