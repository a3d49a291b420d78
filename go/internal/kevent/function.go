package kevent

import (
	"slices"
	"strings"
)

// event returns the finished event.
func (r *report) event() Event {
	for _, f := range r.trace {
		if f.certain && len(r.e.Trace) < maxFrames {
			r.e.Trace = append(r.e.Trace, f.text)
		}
	}
	r.e.Function = r.function()
	r.e.Fingerprint = r.e.fingerprint()
	return *r.e
}

// function returns the function that the report is about.
func (r *report) function() string {
	var names []string
	for _, f := range r.trace {
		if f.certain {
			names = append(names, f.name)
		}
	}
	if r.e.Kind == RCUStall || r.e.Kind == Lockup || strings.Contains(r.e.Title, "corrupted stack end") || strings.Contains(r.e.Title, "stack guard page") {
		if name := entryOf(names); name != "" {
			return name
		}
	}
	candidates := slices.Clone(r.named)
	if r.e.Kind != HungTask && r.pc != "" {
		candidates = append(candidates, r.pc)
	}
	candidates = append(candidates, names...)
	for _, name := range candidates {
		if strings.HasPrefix(name, "synchronize_rcu") { // the variants wait for the same
			return "synchronize_rcu"
		}
		if !reporting.MatchString(name) {
			return name
		}
	}
	if len(candidates) > 0 {
		return candidates[0]
	}
	return ""
}

// entryOf returns the function at which a trace has entered a part of the kernel.
func entryOf(names []string) string {
	for i, name := range names {
		if callback.MatchString(name) && i > 0 && !reporting.MatchString(names[i-1]) {
			return names[i-1]
		}
		if strings.HasPrefix(name, "smp_call_function") || name == "smp_cfm_core" {
			return "smp_call_function"
		}
		if entry.MatchString(name) && !reporting.MatchString(name) && !dispatch.MatchString(name) {
			return name
		}
	}
	return ""
}
