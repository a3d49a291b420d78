package kevent

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	maxTitle  = 200 // bytes of a title
	maxFrames = 64  // frames of a trace
	maxLines  = 800 // lines of a report
	maxOther  = 60  // lines of something else within a report
	maxOpen   = 16  // reports at the same time: of as many callers
	// A report ends if the kernel prints nothing that belongs to it for so long, in seconds of
	// its own time.
	maxPause = 30
)

// Scanner finds the events in a stream. Its zero value begins at the offset 0.
type Scanner struct {
	offset int64  // of the byte after rest
	rest   []byte // a line without its end, at most maxLine of it
	length int64  // of that line

	open    []*report // in the order of their beginnings
	prelude prelude
	stamps  bool // the kernel prints its time before each line
}

// NewScanner returns a Scanner for a stream whose first byte has the given offset.
func NewScanner(offset int64) *Scanner { return &Scanner{offset: offset} }

// prelude is a line that only precedes reports: "------[ cut here ]------", "======".
type prelude struct {
	begin  int64
	caller string
	lines  int // that have come since
	set    bool
}

// Feed processes the next bytes of the stream. It returns the events that have ended, in the
// order of their beginnings.
func (s *Scanner) Feed(data []byte) []Event {
	var events []Event
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		part := data
		if end >= 0 {
			part = data[:end]
		}
		if room := maxLine + 64 - len(s.rest); room > 0 {
			s.rest = append(s.rest, part[:min(len(part), room)]...)
		}
		s.length += int64(len(part))
		s.offset += int64(len(part))
		if end < 0 {
			break
		}
		s.offset++
		events = append(events, s.line()...)
		data = data[end+1:]
	}
	return events
}

// Skip processes a gap: n bytes of the stream are missing. Reports end there.
func (s *Scanner) Skip(n int64) []Event {
	events := s.Close()
	s.offset += n
	return events
}

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
	raw := bytes.TrimRight(s.rest, "\r")
	if at := bytes.LastIndexByte(raw, '\r'); at >= 0 {
		raw = raw[at+1:] // the terminal shows what is written last
	}
	l := parse(raw, s.offset-s.length, s.offset)
	s.rest, s.length = s.rest[:0], 0
	// Before the line's own part came others, as a prompt.
	return s.examine(l)
}

// boot matches the first line of a kernel.
const boot = "Linux version "

func (s *Scanner) examine(l line) (events []Event) {
	if strings.HasPrefix(l.text, boot) {
		s.stamps = l.stamped
		return s.end(func(*report) bool { return true })
	}
	if l.stamped {
		events = s.end(func(r *report) bool { return r.Time != nil && (l.time > r.last+maxPause || l.time < r.last-maxPause) })
	}
	if h, headline := findHead(l.text); h != nil && (l.stamped || !s.stamps) {
		return append(events, s.begin(h, headline, l)...)
	}
	s.note(l)
	for _, r := range s.open {
		r.add(l)
	}
	return append(events, s.end((*report).over)...)
}

// note remembers a line that precedes reports.
func (s *Scanner) note(l line) {
	if s.prelude.lines++; s.prelude.lines > 4 {
		s.prelude.set = false
	}
	if l.text == cutHere || rule(l.text) && !s.prelude.set && s.whole(l.caller) == nil {
		s.prelude = prelude{begin: l.begin, caller: l.caller, set: true}
	}
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

// begin begins a report, or continues one that has begun.
func (s *Scanner) begin(h *head, headline string, l line) (events []Event) {
	for i := len(s.open) - 1; i >= 0; i-- {
		r := s.open[i]
		if r.caller != l.caller {
			continue
		}
		if r.continues(h, headline) {
			r.headline(h, headline, l)
			return nil
		}
		if h.kind != Panic || len(r.trace) > 0 {
			r.closed = true // the report of the same caller ends here
		}
	}
	events = s.end(func(r *report) bool { return r.closed })
	r := newReport(h, headline, l)
	if s.prelude.set && s.prelude.caller == l.caller {
		r.Begin = s.prelude.begin
	}
	s.prelude = prelude{}
	if h.kind == Panic {
		for _, other := range s.open {
			if other.caller == l.caller {
				other.heir = r
			}
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
	for _, r := range s.open { // a report that waits for the trace of a panic
		if r.heir != nil && r.heir.closed {
			r.inherit()
		}
	}
	// Events come in the order of their beginnings.
	for len(s.open) > 0 && s.open[0].closed {
		events = append(events, s.open[0].event())
		s.open = slices.Delete(s.open, 0, 1)
	}
	return events
}

// report is an event that has begun.
type report struct {
	Event
	head      *head
	caller    string
	last      float64 // the kernel's time of the last line that belongs to it
	lines     int     // since its first line
	other     int     // lines since the last one that belongs to it
	closed    bool
	trace     []frame
	traced    bool     // a call trace has begun
	frozen    bool     // the trace is complete
	backtrace bool     // "stack backtrace:" was there
	pc        string   // the function of the program counter
	named     []string // the functions that the headline and other lines name
	heir      *report  // the panic that follows before this report has a trace
	expect    bool     // the next line has the function that takes or releases a lock
	died      bool     // the number of an oops was there: "[#1]"
}

func newReport(h *head, headline string, l line) *report {
	r := &report{head: h, caller: l.caller, last: l.time}
	r.Kind, r.Begin = h.kind, l.begin
	if l.stamped {
		at := l.time
		r.Time = &at
	}
	if number, found := strings.CutPrefix(l.caller, "C"); found {
		if cpu, err := strconv.Atoi(number); err == nil {
			r.CPU = &cpu
		}
	}
	r.headline(h, headline, l)
	return r
}

var (
	addresses   = regexp.MustCompile(`\+0x[0-9a-f]+/0x[0-9a-f]+|\b0x[0-9a-f]+\b|\b[0-9a-f]{16}\b`)
	oopsCount   = regexp.MustCompile(`\[#\d+\]`)
	inName      = regexp.MustCompile(`(?:^| )in:? ([A-Za-z_][\w.$]*)(?:\+0x|\(|$|:| at addr| / )`)
	atName      = regexp.MustCompile(` at \S+:\d+ ([A-Za-z_][\w.$]*)\+0x`)
	oldName     = regexp.MustCompile(`^WARNING: at \S+:\d+ ([A-Za-z_][\w.$]*)`)
	lockName    = regexp.MustCompile(`, at: *(?:\[<[^>]*>\] *)?([A-Za-z_][\w.$]*)\+0x`)
	acquires    = regexp.MustCompile(`(?:is trying to (?:acquire|release)|^\S+/\d+ .*takes:|is freeing memory|just changed the state)`)
	holding     = regexp.MustCompile(`locks? held`)
	hexadecimal = regexp.MustCompile(`^[0-9a-f]{8,16}$`)
	lastWork    = regexp.MustCompile(`last function: (\w+)`)
	process     = regexp.MustCompile(`\bCPU: (\d+) (?:UID: \d+ )?PID: \d+ Comm: (.{1,15}?) (?:Not tainted|Tainted|\d+\.)`)
	onCPU       = regexp.MustCompile(`CPU#(\d+)`)
	taskName    = regexp.MustCompile(`^(?:INFO: task |BUG: )(.{1,15}?)[:/]\d+ `)
	bracketed   = regexp.MustCompile(`\[(.{1,15}):\d+\]$`)
)

// headline takes what a headline says.
func (r *report) headline(h *head, text string, l line) {
	if r.Title == "" {
		r.Title = strings.TrimSpace(addresses.ReplaceAllString(text, ""))
		r.Title = r.Title[:min(len(r.Title), maxTitle)]
	}
	r.End, r.last, r.other = l.end, max(r.last, l.time), 0
	if r.Kind == Warning && h.kind == Refcount || r.Kind == Bug && h.kind == ListCorruption {
		r.Kind = h.kind
	}
	if oopsCount.MatchString(text) {
		r.died = true
	}
	for _, pattern := range []*regexp.Regexp{atName, oldName} {
		if m := pattern.FindStringSubmatch(text); m != nil {
			r.named = append(r.named, plainName(m[1]))
			switch {
			case strings.Contains(text, " kernel/locking/lockdep.c:"):
				r.Kind = Lockdep
			case strings.Contains(text, " lib/refcount.c:"):
				r.Kind = Refcount
			case strings.Contains(text, " lib/list_debug.c:"):
				r.Kind = ListCorruption
			}
		}
	}
	if r.Kind != Lockdep && r.Kind != Warning {
		if m := inName.FindStringSubmatch(text); m != nil && !hexadecimal.MatchString(m[1]) && (r.Kind != Panic || strings.Contains(text, "corrupted in: ")) {
			r.named = append(r.named, plainName(m[1]))
		}
	}
	for _, m := range [][]string{taskName.FindStringSubmatch(text), bracketed.FindStringSubmatch(text)} {
		if m != nil && r.Task == "" && (r.Kind == HungTask || r.Kind == Lockup) {
			r.Task = m[1]
		}
	}
	r.expect = r.Kind == Lockdep && holding.MatchString(text)
	r.processor(onCPU.FindStringSubmatch(text))
	r.who(text)
}

func (r *report) processor(m []string) {
	if m == nil || r.CPU != nil {
		return
	}
	if cpu, err := strconv.Atoi(m[1]); err == nil {
		r.CPU = &cpu
	}
}

// who takes the processor and the process from a line that has them.
func (r *report) who(text string) {
	m := process.FindStringSubmatch(text)
	if m == nil {
		return
	}
	r.processor(m)
	if r.Task == "" {
		r.Task = m[2]
	}
}

// continues reports whether a headline belongs to this report.
func (r *report) continues(h *head, headline string) bool {
	if !h.joins || r.lines > 40 {
		return r.Kind == RCUStall && h.kind == RCUStall
	}
	fresh := len(r.trace) == 0
	switch h.kind {
	case Oops:
		return (r.Kind == Oops || r.Kind == Bug || r.Kind == ListCorruption) && fresh && !(r.died && oopsCount.MatchString(headline))
	case Bug, Warning:
		return (r.Kind == ListCorruption || r.Kind == Refcount || r.Kind == Bug && r.named == nil) && fresh && r.lines < 6
	case Refcount, ListCorruption:
		return (r.Kind == Warning || r.Kind == Bug) && fresh && r.lines < 6
	case Kmemleak:
		return r.Kind == Kmemleak && r.lines < 3
	default:
		return h.kind == r.Kind
	}
}

// endMark is in the last line of a report.
const endMark = "---[ end "

// add takes a line that follows the headline, if it belongs to the report.
func (r *report) add(l line) {
	if r.closed {
		return
	}
	r.lines++
	if l.caller != r.caller && l.caller != "" || r.Time != nil && !l.stamped && r.caller != "" {
		r.other++
		return
	}
	if !r.belongs(l) {
		if l.text != "" {
			r.other++
		}
		return
	}
	r.other = 0
	r.End, r.last = l.end, max(r.last, l.time)
	r.who(l.text)
	if strings.Contains(l.text, endMark) || rule(l.text) && r.lines > 2 && r.Kind != Lockdep {
		r.closed = true
	}
}

// details matches the lines of a report that are not frames.
var details = regexp.MustCompile(`^\s*(?:CPU: |CPU#?\d|PID: |RIP|EIP|RSP|ESP|EAX|ESI|RAX|RDX|RBP|R\d\d|FS:|CS:|DS:|CR2|CR3|DR[0-9]|PKRU|Code: |Call [Tt]race|Backtrace|Stack|stack|Modules linked|Hardware name|Workqueue|task: |task |Process |pc : |lr : |sp : |pc is|PC is|LR is|x\d+ ?: |r\d+ ?: |pstate|psr|Flags|Control|Exception|ESR|FSC|EC =|Mem abort|Data abort|  ISV|SET =|EA =|CM =|swapper pgtable|\[[0-9a-f]{8,16}\] pgd|PGD|P4D|PUD|PMD|Oops|SMP|</?(?:TASK|IRQ|NMI|SOFTIRQ|EOI|EOE|DOUBLEFAULT|#DF|ENTRY\S*)|==|INFO: lockdep|\d+ locks? held|no locks held|#\d+: |Showing all|irq event|hardirqs |softirqs |Preemption disabled|in_atomic|Kernel Offset|Rebooting|---\[ end|Dumping|\(ftrace|Sending NMI|NMI backtrace|rcu|\t|\(detected|Tainted|Not tainted|"echo 0|Memory state|Disabling|KASAN|CFI|Unable|Internal|epc|status|gp :|tp :|t\d |s\d|a\d|CR: |\.\.\.|Kernel Stack|comm |hex dump|backtrace|\w+ +[RSDTtXZ] )`)

// belongs reports whether a line is a part of the report, and takes its frame.
func (r *report) belongs(l line) bool {
	if f, found := parseFrame(l.text); found {
		if r.expect {
			r.named, r.expect = append(r.named, f.name), false
			return true
		}
		r.frame(f)
		return true
	}
	if m := counter.FindStringSubmatch(l.text); m != nil {
		if r.pc == "" {
			r.pc = plainName(m[1])
		}
		return true
	}
	if m := lockName.FindStringSubmatch(l.text); m != nil {
		if r.expect {
			r.named, r.expect = append(r.named, plainName(m[1])), false
		}
		return true
	}
	if r.Kind == Lockdep && acquires.MatchString(l.text) {
		r.expect = true
	}
	if m := lastWork.FindStringSubmatch(l.text); m != nil {
		r.named = append(r.named, m[1])
	}
	switch trimmed := strings.TrimSpace(l.text); {
	case strings.HasPrefix(trimmed, "stack backtrace:"):
		r.backtrace, r.trace = true, nil
	case len(r.trace) > 0 && (strings.HasPrefix(trimmed, "Allocated by") || strings.HasPrefix(trimmed, "Freed by") || strings.HasPrefix(trimmed, "Uninit was")):
		r.frozen = true
	}
	if r.head.whole && !(r.backtrace && r.other > 5) && l.text != "" {
		return !r.head.lockEnds(r)
	}
	return details.MatchString(l.text)
}

// lockEnds reports whether lockdep's report is complete: the frames after "stack backtrace:"
// are its last part.
func (h *head) lockEnds(r *report) bool {
	return h.kind == Lockdep && r.backtrace && len(r.trace) > 0
}

func (r *report) frame(f frame) {
	if r.frozen || len(r.trace) >= 4*maxFrames {
		return
	}
	r.trace = append(r.trace, f)
}

// over reports whether the report has ended.
func (r *report) over() bool {
	return r.closed || r.other > maxOther || r.lines > maxLines
}

// inherit takes the trace of the panic that the report has caused.
func (r *report) inherit() {
	if len(r.trace) == 0 {
		r.trace = r.heir.trace
	}
	if r.pc == "" {
		r.pc = r.heir.pc
	}
	r.closed, r.heir = true, nil
}

// event returns the finished event.
func (r *report) event() Event {
	for _, f := range r.trace {
		if f.certain && len(r.Trace) < maxFrames {
			r.Trace = append(r.Trace, f.text)
		}
	}
	r.Function = r.function()
	r.Fingerprint = r.Event.fingerprint()
	return r.Event
}

// function returns the function that the report is about.
func (r *report) function() string {
	var names []string
	for _, f := range r.trace {
		if f.certain {
			names = append(names, f.name)
		}
	}
	if r.Kind == RCUStall || r.Kind == Lockup || strings.Contains(r.Title, "corrupted stack end") || strings.Contains(r.Title, "stack guard page") {
		if name := entryOf(names); name != "" {
			return name
		}
	}
	candidates := slices.Clone(r.named)
	if r.Kind != HungTask && r.pc != "" {
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
