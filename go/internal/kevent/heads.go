package kevent

import (
	"bytes"
	"regexp"
	"strings"
)

// head describes the first line of a kind of report.
type head struct {
	prefix string         // of the line; "": any
	holds  string         // what the line must contain, if the prefix is ""
	more   *regexp.Regexp // what must follow the prefix; nil: anything
	kind   Kind
	// joins is set if the report may be a part of one that has begun: an oops has several
	// such lines, as "BUG: unable to handle …" and "Oops: …".
	joins bool
	// alone is set if the kernel may print no function after the line, and loose if it prints such
	// lines without a report too: see limit.
	alone, loose bool
	// whole is set if every line belongs to the report until its end (see scanner).
	whole bool
}

// limit returns the number of lines within which the first function must follow a line with this
// head, for it to begin a report. A program may print such lines too, but without the kernel's time.
// 0 means that none must follow.
func (h *head) limit(l line) int {
	switch {
	case h.loose:
		return maxLoose
	case h.alone || l.stamped:
		return 0
	}
	return maxUntimed
}

// heads are the first lines of reports, in the order in which they are compared.
var heads = []head{
	{prefix: "Kernel panic - not syncing", kind: Panic, alone: true},

	{prefix: "BUG: KASAN: ", kind: KASAN, whole: true},
	{prefix: "BUG: KMSAN: ", kind: KMSAN, whole: true},
	{prefix: "BUG: KCSAN: ", kind: KCSAN, whole: true},
	{prefix: "BUG: KFENCE: ", kind: KFENCE, whole: true},
	{prefix: "UBSAN: ", kind: UBSAN, whole: true},

	{prefix: "BUG: unable to handle ", kind: Oops, joins: true},
	{prefix: "BUG: ", more: regexp.MustCompile(`^(?:[Kk]ernel NULL pointer dereference|Unable to handle kernel )`), kind: Oops, joins: true},
	{prefix: "BUG: stack guard page was hit", kind: Oops, joins: true},
	{prefix: "BUG: ", more: regexp.MustCompile(`stack guard page was hit`), kind: Oops, joins: true},
	{prefix: "Oops", more: regexp.MustCompile(`^(?:: [0-9a-f]{4}\b|:.*\[#| -| \[)`), kind: Oops, joins: true},
	{prefix: "general protection fault", more: regexp.MustCompile(`^(?:[:,]| maybe | probably )`), kind: Oops, joins: true},
	{prefix: "Internal error: ", more: oopsCount, kind: Oops, joins: true},
	{prefix: "Unable to handle kernel ", kind: Oops, joins: true},
	{prefix: "Unhandled fault: ", kind: Oops, joins: true},
	{prefix: "Unhandled prefetch abort: ", kind: Oops, joins: true},
	{prefix: "Alignment trap: not handling instruction ", kind: Oops, joins: true},
	{prefix: "PANIC: ", more: regexp.MustCompile(`^(?:double fault|early exception)`), kind: Oops, joins: true},
	{prefix: "double fault: ", kind: Oops, joins: true},
	{prefix: "divide error: ", kind: Oops, joins: true},
	{prefix: "divide_error: ", kind: Oops, joins: true},
	{prefix: "segment-related general protection fault", kind: Oops, joins: true},
	{prefix: "invalid opcode: ", kind: Oops, joins: true},
	{prefix: "stack segment: ", kind: Oops, joins: true},
	{prefix: "segment not present: ", kind: Oops, joins: true},
	{prefix: "alignment check: ", kind: Oops, joins: true},
	{prefix: "int3: ", kind: Oops, joins: true},
	{prefix: "Bad mode in ", kind: Panic, alone: true},
	{prefix: "Insufficient stack space to handle exception", kind: Oops, joins: true},
	{prefix: "kernel tried to execute NX-protected page", kind: Oops, joins: true},
	{prefix: "unable to execute userspace code (SMEP?)", kind: Oops, joins: true},
	{prefix: "CPU ", more: regexp.MustCompile(`^\d+ Unable to handle kernel `), kind: Oops, joins: true},              // MIPS, LoongArch
	{prefix: "Unhandled ", more: regexp.MustCompile(`^\S+ el\d\w+ \S+ exception on CPU\d`), kind: Panic, alone: true}, // arm64
	{prefix: "Kernel bug detected[#", kind: Bug, joins: true},                                                         // MIPS
	{prefix: "Internal error: ", kind: Oops, joins: true, loose: true},
	{prefix: "Alignment trap: ", kind: Oops, joins: true, loose: true},
	{prefix: "general protection fault", kind: Oops, joins: true, loose: true},
	{holds: "[#", more: died, kind: Oops, joins: true},

	{prefix: "BUG: soft lockup", kind: Lockup},
	{prefix: "BUG: spinlock lockup suspected", kind: Lockup},
	{prefix: "Watchdog detected hard LOCKUP", kind: Lockup},
	{prefix: "CPU", kind: Lockup, more: regexp.MustCompile(`^\d+: Watchdog detected hard LOCKUP`)},
	{prefix: "CPU ", kind: Lockup, more: regexp.MustCompile(`^\d+ (?:self-detected |detected )?[Hh]ard LOCKUP`)}, // PowerPC
	{prefix: "Watchdog CPU:", kind: Lockup, more: regexp.MustCompile(`Hard LOCKUP`)},
	{prefix: "BUG: workqueue ", kind: Workqueue, whole: true, alone: true},
	{prefix: "BUG: sleeping function called from invalid context", kind: AtomicSleep},
	{prefix: "BUG: scheduling while atomic", kind: AtomicSleep},
	{prefix: "BUG: memory leak", kind: Kmemleak, alone: true},
	{holds: " new suspected memory leaks", more: regexp.MustCompile(`^[0-9]+ new suspected memory leaks`), kind: Kmemleak, alone: true},
	{prefix: "unreferenced object ", kind: Kmemleak, joins: true, alone: true},

	{prefix: "WARNING: ", kind: Lockdep, more: lockReport, whole: true},
	{prefix: "INFO: ", kind: Lockdep, more: lockReport, whole: true},
	{prefix: "BUG: ", kind: Lockdep, more: lockReport, whole: true},

	{prefix: "INFO: rcu_", kind: RCUStall, more: regexp.MustCompile(`stall|hang`), joins: true},
	{prefix: "rcu_", kind: RCUStall, more: regexp.MustCompile(`^\w+ kthread (?:starved for|timer wakeup didn't happen for)`), joins: true},
	{prefix: "INFO: task ", kind: HungTask, more: regexp.MustCompile(`:\d+ (?:blocked .*for more than|can't die for more than)`)},

	{prefix: "refcount_t: ", kind: Refcount, joins: true},
	{prefix: "list_add corruption", kind: ListCorruption, joins: true},
	{prefix: "list_add double add", kind: ListCorruption, joins: true},
	{prefix: "list_del corruption", kind: ListCorruption, joins: true},
	{prefix: "WARNING: ", kind: Warning, more: regexp.MustCompile(`^(?:CPU: \d+ PID: \d+ at |at |kernel stack |can't (?:dereference|access)|ODEBUG|\S+:\d+ at |[a-z_]+/\S+:\d+ |stack recursion|unwind)`), joins: true},
	{prefix: "rust_kernel: panicked at ", kind: Bug, joins: true},
	{prefix: "kernel BUG at ", kind: Bug, joins: true},
	{prefix: "Kernel BUG at ", kind: Bug, joins: true},
	{prefix: "BUG: ", more: silent, kind: Bug, alone: true},
	{prefix: "BUG: ", kind: Bug},
	{prefix: "WARNING: ", kind: Warning, loose: true},
	{prefix: "slab error in ", kind: Bug},
	{prefix: "INFO: Allocated in ", kind: Bug, joins: true},
	{prefix: "INFO: Freed in ", kind: Bug, joins: true},
	{prefix: "BUG ", kind: Bug, more: regexp.MustCompile(`^(?:kmalloc-\S+|\S+ \(.*\)): `), whole: true},

	{holds: " invoked oom-killer: ", more: regexp.MustCompile(`^.{1,15} invoked oom-killer: `), kind: OOM, whole: true},
	{prefix: "Out of memory: Kill", kind: OOM, joins: true, alone: true},
	{prefix: "Memory cgroup out of memory: Kill", kind: OOM, joins: true, alone: true},
	{prefix: "mce: [Hardware Error]: CPU ", kind: MCE, joins: true, alone: true},
	{prefix: mceLogged, kind: MCE, joins: true, alone: true},
}

// mceLogged is printed before the report of a machine check, or alone.
const mceLogged = "mce: [Hardware Error]: Machine check events logged"

// silent matches the messages after "BUG: " that no trace follows.
var silent = regexp.MustCompile(`^(?:Bad rss-counter|non-zero \w+ on freeing|Bad page|Dentry )`)

// died matches what die() of most architectures prints: the exception, a code, and how many oopses
// there have been.
var died = regexp.MustCompile(`^[A-Za-z][\w #,./()-]{2,70}?(?:: [0-9a-f]{1,16}(?: ilc:\d)?|, sig: \d+)? ?\[#\d{1,4}\](?::? *$| *(?:PREEMPT|SMP|DEBUG_PAGEALLOC|KASAN|PTI|NOPTI|ARM|THUMB2)\b)`)

// lockReport matches the reports of lockdep and of RCU's checks after "WARNING: ", "BUG: " or
// "INFO: ", the prefix of older kernels.
var lockReport = regexp.MustCompile(`^(?:possible (?:circular|recursive|irq lock inversion|unsafe|reason)|inconsistent lock state|bad (?:unlock|contention) balance|bad unlock|held lock freed|(?:\S+/\d+ )?(?:still has locks held|lock held (?:when|at))|suspicious RCU usage|nested lock was not taken|Nested lock|(?:HARDIRQ|SOFTIRQ|HARDIRQ-READ|RECLAIM_FS)\S* -> |\S+-safe -> |lock held when returning|trying to register non-static key|Invalid wait context|invalid wait context|MAX_\w+ too low|\S+ lock order detected|inconsistent lock)`)

// noise matches what the kernel prints before a headline.
var noise = regexp.MustCompile(`^(?:(?:NMI watchdog|watchdog|rcu|traps|general|workqueue|usercopy|kernel|refcount|list|kmemleak|x86/\w+): |\[ |-{12}\[ cut here \]-{12} *|kasan: GPF could be caused by NULL-ptr deref or user memory access)+`)

// cutHere is the line before the report of a BUG or a WARN.
const cutHere = "--- cut here ---"

// noisy are the first bytes of what noise matches.
const noisy = "Nwrtguklx[-"

// findHead returns the head of a line, and its headline.
func findHead(text string) (*head, string) {
	text = strings.TrimLeft(text, " \t\x00")
	if len(text) < 8 {
		return nil, ""
	}
	if strings.IndexByte(noisy, text[0]) >= 0 && noise.MatchString(text) {
		text = strings.TrimSuffix(noise.ReplaceAllString(text, ""), " ]")
	}
	if text == "" {
		return nil, ""
	}
	for _, h := range headsOf[text[0]] {
		if rest, found := strings.CutPrefix(text, h.prefix); found && strings.Contains(text, h.holds) && (h.more == nil || h.more.MatchString(rest)) {
			return h, text
		}
	}
	return nil, ""
}

// headsOf has the heads of the lines that begin with a byte, in their order.
var headsOf = func() (table [256][]*head) {
	for i := range heads {
		for initial := range table {
			if prefix := heads[i].prefix; prefix == "" || prefix[0] == byte(initial) {
				table[initial] = append(table[initial], &heads[i])
			}
		}
	}
	return table
}()

// Headline returns the kind of report that begins with a line of a console, and the line
// without the kernel's prefixes. The kind is "" if no report begins with it.
func Headline(raw []byte) (Kind, string) {
	h, text := findHead(parse(bytes.TrimRight(raw, "\r\n"), 0, 0).text)
	if h == nil {
		return "", ""
	}
	return h.kind, text
}
