package kevent

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// namePattern matches the lines of some reports that name a function or a process.
type namePattern struct {
	kinds   []Kind // of the reports that have such lines; nil: all
	pattern *regexp.Regexp
}

// names match the functions in headlines.
var names = []namePattern{
	{nil, regexp.MustCompile(` at \S+:\d+ ([A-Za-z_][\w.$]*)\+0x`)},
	{nil, regexp.MustCompile(`^WARNING: at \S+:\d+ ([A-Za-z_][\w.$]*)`)},
	{[]Kind{Panic}, regexp.MustCompile(`corrupted in: ([A-Za-z_][\w.$]*)`)},
	{
		[]Kind{KASAN, KMSAN, KCSAN, KFENCE, UBSAN, Oops, Bug, Workqueue, AtomicSleep, Lockup},
		regexp.MustCompile(`(?:^| )in:? ([A-Za-z_][\w.$]*)(?:\+0x|\(|$|:| at addr| / )`),
	},
}

// tasks match the processes in headlines.
var tasks = []namePattern{
	{[]Kind{HungTask, Lockup}, regexp.MustCompile(`^(?:INFO: task |BUG: )(.{1,15}?)[:/]\d+ `)},
	{[]Kind{OOM}, regexp.MustCompile(`^(.{1,15}?) invoked oom-killer: `)},
	{[]Kind{HungTask, Lockup}, regexp.MustCompile(`\[(.{1,15}):\d+\]$`)},
}

// in returns what the line names, if a report of the kind has such lines.
func (n namePattern) in(text string, kind Kind) (string, bool) {
	if n.kinds != nil && !slices.Contains(n.kinds, kind) {
		return "", false
	}
	match := n.pattern.FindStringSubmatch(text)
	if match == nil || hexadecimal.MatchString(match[1]) {
		return "", false
	}
	return match[1], true
}

// sources are the kinds of the warnings of some source files.
var sources = map[string]Kind{
	" kernel/locking/lockdep.c:": Lockdep,
	" lib/refcount.c:":           Refcount,
	" lib/list_debug.c:":         ListCorruption,
}

var (
	addresses   = regexp.MustCompile(`\+0x[0-9a-f]+/0x[0-9a-f]+|\b0x[0-9a-f]+\b|\b[0-9a-f]{16}\b`)
	hexadecimal = regexp.MustCompile(`^[0-9a-f]{8,16}$`)
	oopsCount   = regexp.MustCompile(`\[#\d+\]`)
	holding     = regexp.MustCompile(`locks? held`)
	process     = regexp.MustCompile(`\bCPU: (\d+) (?:UID: \d+ )?PID: \d+ Comm: (.{1,15}?) (?:Not tainted|Tainted|\d+\.)`)
	comm        = regexp.MustCompile(`^\s*comm "(.{1,15}?)", pid `)
	onCPU       = regexp.MustCompile(`(?:CPU#|on cpu |: CPU )(\d+)`)
)

// headline reads a headline.
func (r *report) headline(h *head, text string, l line) {
	title := strings.TrimSpace(addresses.ReplaceAllString(text, ""))
	if title = title[:min(len(title), maxTitle)]; strings.HasPrefix(title, r.e.Title) { // the first, or the same again
		r.e.Title, r.e.Kind, r.head = title, h.kind, h
	}
	r.e.End, r.last, r.other = l.end, max(r.last, l.time), 0
	r.limit = min(r.limit, h.limit(l))
	r.died = r.died || oopsCount.MatchString(text)
	r.refine(h.kind, text)
	for _, n := range names {
		if function, found := n.in(text, r.e.Kind); found {
			r.calls.named, r.limit = append(r.calls.named, plainName(function)), 0
		}
	}
	for _, n := range tasks {
		if task, found := n.in(text, r.e.Kind); found && r.e.Task == "" {
			r.e.Task = task
		}
	}
	if r.e.Kind == Lockdep && holding.MatchString(text) {
		r.calls.next = locking
	}
	r.setCPU(onCPU.FindStringSubmatch(text))
	r.setTask(text)
	r.closed = h.kind == OOM && h.joins // the kernel has chosen a process
}

// refine sets the kind of a warning or a BUG that is of another kind by its message, or by
// the source file that it is in.
func (r *report) refine(kind Kind, text string) {
	if r.e.Kind == Warning && kind == Refcount || r.e.Kind == Bug && kind == ListCorruption {
		r.e.Kind = kind
	}
	for file, kind := range sources {
		if strings.Contains(text, file) {
			r.e.Kind = kind
		}
	}
}

// setCPU sets the number of the processor, the last part of a match.
func (r *report) setCPU(match []string) {
	if match == nil || r.e.CPU != nil {
		return
	}
	if cpu, err := strconv.Atoi(match[1]); err == nil {
		r.e.CPU = &cpu
	}
}

// setTask sets the processor and the process from a line that has them.
func (r *report) setTask(text string) {
	if !strings.Contains(text, "omm") { // "Comm: ", "comm "
		return
	}
	match := process.FindStringSubmatch(text)
	if match == nil {
		match = comm.FindStringSubmatch(text)
	} else {
		r.setCPU(match)
	}
	if match != nil && r.e.Task == "" {
		r.e.Task = match[len(match)-1]
	}
}

// preface is how many lines may be between the message of a BUG or WARN and its report.
const preface = 6

// continues reports whether a headline belongs to this report.
func (r *report) continues(h *head, headline string) bool {
	switch {
	case r.e.Kind == RCUStall && h.kind == RCUStall, r.e.Kind == OOM && h.kind == OOM && h.joins:
		return true
	case !h.joins:
		return false
	case r.head.whole && r.e.Kind == Bug && strings.HasPrefix(headline, "INFO: "): // mm/slub.c
		return true
	case h.kind == Oops:
		return r.oopses(headline)
	case h.kind == Kmemleak:
		return strings.HasPrefix(r.e.Title, "BUG: memory leak") && r.lines < preface/2
	}
	return len(r.calls.trace) == 0 && r.lines < preface && r.completes(h.kind, headline)
}

// oopses reports whether a headline of an oops belongs to this report: one that has no number yet, or
// a BUG.
func (r *report) oopses(headline string) bool {
	another := r.died && oopsCount.MatchString(headline)
	return len(r.calls.trace) == 0 && !another && slices.Contains([]Kind{Oops, Bug, ListCorruption}, r.e.Kind)
}

// completes reports whether this report is the message of a BUG or WARN that a headline of
// the given kind follows, or the other way round.
func (r *report) completes(kind Kind, headline string) bool {
	switch kind {
	case Bug, Warning:
		message := r.e.Kind == Bug && r.calls.named == nil && (kind == Bug || r.limit == 0)
		return message || r.e.Kind == ListCorruption || r.e.Kind == Refcount
	case Refcount, ListCorruption:
		return r.e.Kind == Warning || r.e.Kind == Bug
	case MCE:
		return r.e.Kind == MCE && (r.e.Title == mceLogged) != (headline == mceLogged)
	}
	return kind == r.e.Kind
}
