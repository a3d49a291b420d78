// Package kevent finds the events that a Linux kernel reports in its log: panics, oopses,
// warnings, reports of sanitizers and lockdep, stalls. Its input is the output of a console, in
// pieces of any size.
//
// Invariants: the events do not depend on how the output is cut into pieces. A Scanner needs
// a bounded amount of memory. An event is the kernel's report from its first line on; what
// another kind of report says, even about the same defect, is an event of its own, as the
// "Kernel panic" after an oops.
package kevent

import (
	"regexp"
	"strings"
)

// Kind is the kind of an event.
type Kind string

// The kinds of events. Each comment names a source file of Linux that prints them.
const (
	Panic          Kind = "panic"           // kernel/panic.c
	Oops           Kind = "oops"            // arch/x86/kernel/dumpstack.c, arch/x86/mm/fault.c
	Bug            Kind = "bug"             // lib/bug.c: BUG(); other lines that begin with "BUG: "
	Warning        Kind = "warning"         // kernel/panic.c: WARN()
	KASAN          Kind = "kasan"           // mm/kasan/report.c
	KMSAN          Kind = "kmsan"           // mm/kmsan/report.c
	KCSAN          Kind = "kcsan"           // kernel/kcsan/report.c
	KFENCE         Kind = "kfence"          // mm/kfence/report.c
	UBSAN          Kind = "ubsan"           // lib/ubsan.c
	Lockdep        Kind = "lockdep"         // kernel/locking/lockdep.c
	RCUStall       Kind = "rcu-stall"       // kernel/rcu/tree_stall.h
	Lockup         Kind = "lockup"          // kernel/watchdog.c
	HungTask       Kind = "hung-task"       // kernel/hung_task.c
	Workqueue      Kind = "workqueue"       // kernel/workqueue.c
	AtomicSleep    Kind = "atomic-sleep"    // kernel/sched/core.c
	Kmemleak       Kind = "kmemleak"        // mm/kmemleak.c
	Refcount       Kind = "refcount"        // lib/refcount.c
	ListCorruption Kind = "list-corruption" // lib/list_debug.c
	OOM            Kind = "oom"             // mm/oom_kill.c
	MCE            Kind = "mce"             // arch/x86/kernel/cpu/mce/core.c
)

// Event is one report of the kernel.
type Event struct {
	Kind Kind `json:"kind"`
	// Title is the kernel's headline without prefixes and addresses, at most 200 bytes.
	Title string `json:"title"`
	// Function is the function that the report is about: not one of those that print it, nor
	// a helper such as memcpy; "" if it is unknown.
	Function string `json:"function,omitempty"`
	// Trace is the first call trace, innermost frame first, each as the kernel prints it:
	// "ext4_put_super+0x40/0x390 [ext4]". It has at most 64 frames.
	Trace []string `json:"trace,omitempty"`
	// Begin and End are the offsets in the stream of the report's first byte, and of the byte
	// after its last line.
	Begin int64 `json:"begin"`
	End   int64 `json:"end"`
	// Boot is the number of the boot, as in console-log --list. The caller sets it.
	Boot int `json:"boot,omitempty"`
	// Time is the kernel's time of the first line, in seconds; nil if the line has none.
	Time *float64 `json:"time,omitempty"`
	CPU  *int     `json:"cpu,omitempty"`
	Task string   `json:"task,omitempty"` // the name of the process: "insmod"
	// Fingerprint is the same for the same defect in other runs: the kind, and the names of
	// the function and of the first frames, without offsets.
	Fingerprint string `json:"fingerprint"`
}

// fingerprintFrames is how many frames a fingerprint has at most.
const fingerprintFrames = 3

// fingerprint returns the fingerprint of an event.
func (e *Event) fingerprint() string {
	names := []string{string(e.Kind)}
	if e.Function == "" && len(e.Trace) == 0 {
		return string(e.Kind) + ":" + numbers.ReplaceAllString(e.Title, "N")
	}
	if e.Function != "" {
		names = append(names, e.Function)
	}
	for _, frame := range e.Trace {
		name := plainName(frame)
		if len(names) > fingerprintFrames {
			break
		}
		if name != e.Function && !reporting.MatchString(name) && !helpers.MatchString(name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ":")
}

// numbers matches numbers in a title.
var numbers = regexp.MustCompile(`(0x)?[0-9a-f]*[0-9][0-9a-f]*`)
