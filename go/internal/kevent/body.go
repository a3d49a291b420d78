package kevent

import (
	"regexp"
	"strings"
)

// details matches the lines of a report that are neither frames nor the like.
var details = regexp.MustCompile(`^\s*(?:` +
	`CPU: |CPU#?\d|PID: |Modules linked|Hardware name|Workqueue|[Tt]ask: |task |Process |comm |Tainted|Not tainted|` + // who
	`RIP|EIP|RSP|ESP|EAX|ESI|RAX|RDX|RBP|R\d\d|FS:|CS:|DS:|CR2|CR3|CR: |DR[0-9]|PKRU|Code: |` + // x86
	`pc : |lr : |sp : |pc is|PC is|LR is|x\d+ ?: |r\d+ ?: |pstate|psr|Flags|Control|ESR|FSC|EC =|Mem abort|Data abort|  ISV|SET =|EA =|CM =|swapper pgtable|\[[0-9a-f]{8,16}\] pgd|PGD|P4D|PUD|PMD|` + // Arm
	`epc|status|gp :|tp :|t\d |s\d|a\d|` + // RISC-V
	`Call [Tt]race|Backtrace|backtrace|Stack|stack|Kernel Stack|</?(?:TASK|IRQ|NMI|SOFTIRQ|EOI|EOE|DOUBLEFAULT|#DF|ENTRY\S*)|\.\.\.|` + // traces
	`Exception|Oops|SMP|Memory state|KASAN|CFI|Unable|Internal|Kernel Offset|Rebooting|---\[ end|Dumping|\(ftrace|Disabling|==|mce: \[Hardware Error\]|hex dump|` +
	`INFO: lockdep|\d+ locks? held|no locks held|#\d+: |Showing all|irq event|hardirqs |softirqs |Preemption disabled|in_atomic|` + // locks
	`Sending NMI|NMI backtrace|rcu|\t|\(detected|"echo 0|\w+ +[RSDTtXZ] )`) // stalls

// bodyNames match the functions in the lines after a headline.
var bodyNames = []namePattern{
	{[]Kind{Workqueue}, regexp.MustCompile(`(?:last function: |workfn=)(\w+)`)},
	{[]Kind{Workqueue}, regexp.MustCompile(`in-flight: \d+:(\w+)`)},
	{[]Kind{MCE}, regexp.MustCompile(`\{(\w+)\+0x`)},
}

// userReturn is in the title of lockdep's report without a trace.
const userReturn = "returning to user space"

// read reads a line that follows the headline, and reports whether it is a part of the report.
func (r *report) read(l line) bool {
	if r.calls.read(l.text) {
		r.limit = 0
		return true
	}
	r.calls.expect(l.text, r.e.Kind)
	for _, n := range bodyNames {
		if function, found := n.in(l.text, r.e.Kind); found {
			r.calls.named = append(r.calls.named, function)
		}
	}
	trimmed := strings.TrimSpace(l.text)
	switch {
	case r.e.Kind == Kmemleak:
		return strings.HasPrefix(l.text, "  ")
	case strings.HasPrefix(trimmed, "stack backtrace:"):
		r.calls.backtrace, r.calls.trace, r.calls.path = true, nil, nil
	case strings.HasPrefix(trimmed, "Allocated by"), strings.HasPrefix(trimmed, "Freed by"), strings.HasPrefix(trimmed, "Uninit was"):
		r.calls.frozen = len(r.calls.trace) > 0
	case strings.Contains(r.e.Title, userReturn):
		return r.userReturn(trimmed)
	}
	traced := r.e.Kind == Lockdep && r.calls.backtrace && len(r.calls.trace) > 0 // its last part
	if r.head.whole && l.text != "" && !traced {
		return true
	}
	return details.MatchString(l.text)
}

// userReturn reports whether a line belongs to a report whose title has userReturn: the list
// of locks is its last part.
func (r *report) userReturn(text string) bool {
	if !r.calls.backtrace {
		r.calls.backtrace = strings.Contains(text, " held by ")
		return text != ""
	}
	r.closed = !strings.HasPrefix(text, "#")
	return !r.closed
}
