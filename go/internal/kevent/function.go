package kevent

import (
	"regexp"
	"slices"
	"strings"
)

// event returns the finished event.
func (r *report) event() Event {
	for _, f := range r.trace[:min(len(r.trace), maxFrames)] {
		r.e.Trace = append(r.e.Trace, f.text)
	}
	r.e.Function = r.function()
	r.e.Fingerprint = r.e.fingerprint()
	return *r.e
}

// function returns the function that the report is about.
func (r *report) function() string {
	var names []string
	for _, f := range r.trace {
		names = append(names, f.name)
	}
	if r.atEntry() {
		if name := entryOf(append([]string{r.pc}, names...)); name != "" {
			return name
		}
	}
	candidates := slices.Clone(r.named)
	if r.e.Kind != HungTask && r.pc != "" {
		candidates = append(candidates, r.pc)
	}
	return r.culprit(append(candidates, names...))
}

// atEntry reports whether the report is about the function at which the kernel was entered.
func (r *report) atEntry() bool {
	return r.e.Kind == RCUStall || r.e.Kind == Lockup || strings.Contains(r.e.Title, "corrupted stack end") || strings.Contains(r.e.Title, "stack guard page")
}

// culprit returns the first of the functions that is not a helper; without one, the first that
// has not printed the report.
func (r *report) culprit(names []string) string {
	helper := ""
	for _, name := range names {
		switch {
		case strings.HasPrefix(name, "synchronize_rcu"), name == "synchronize_sched": // the variants wait for the same
			return "synchronize_rcu"
		case reporting.MatchString(name):
		case helper != "" && softirq.MatchString(name):
			return helper // what follows has been interrupted
		case !r.helps(name):
			return name
		case helper == "":
			helper = name
		}
	}
	if helper == "" && len(names) > 0 {
		return names[0]
	}
	return helper
}

// softirq matches the functions below which a trace continues with what a softirq interrupted.
var softirq = regexp.MustCompile(`^(?:__do_softirq|handle_softirqs|irq_exit\w*)$`)

// helps reports whether a function is a helper, for a report of this kind.
func (r *report) helps(name string) bool {
	switch {
	case helpers.MatchString(name):
		return true
	case r.e.Kind == HungTask:
		return waits.MatchString(name)
	case r.e.Kind == Kmemleak:
		return allocators.MatchString(name)
	}
	return false
}

// entryOf returns the function at which a trace has entered a part of the kernel.
func entryOf(names []string) string {
	for i, name := range names {
		if i > 0 && callers.MatchString(name) && !general(names[i-1]) {
			return names[i-1]
		}
		if smpCall.MatchString(name) {
			return "smp_call_function"
		}
		if entry.MatchString(name) && !general(name) {
			return name
		}
	}
	return ""
}

// general reports whether a function is a helper, or calls other parts of the kernel.
func general(name string) bool {
	return name == "" || reporting.MatchString(name) || helpers.MatchString(name) || dispatch.MatchString(name) || callers.MatchString(name)
}

// smpCall matches the functions that wait for other processors.
var smpCall = regexp.MustCompile(`^(?:smp_call_function|on_each_cpu|smp_cfm_core)`)
