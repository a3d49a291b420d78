package kevent

import (
	"regexp"
	"strings"
)

// frame is a frame of a call trace.
type frame struct {
	text    string // as the kernel prints it: "ext4_put_super+0x40/0x390 [ext4]"
	name    string // the function: "ext4_put_super"
	certain bool   // it is not marked with "? "
}

var (
	// symbol matches a frame; the kernel may have decoded it already (file and line).
	symbol = regexp.MustCompile(`^([A-Za-z_][\w.$]*)(?:\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[[\w-]+\])?| [\w./+-]+\.(?:[chS]|rs):[0-9]+ \[inline\])`)
	// section matches the marks of the stacks of a trace.
	section = regexp.MustCompile(`^(?:</?(?:IRQ|EOI|NMI|EOE|TASK|SOFTIRQ|#DF|ENTRY_TRAMPOLINE|DOUBLEFAULT)> *)+`)
	// address matches the addresses before a frame: Linux before 4.10, Arm, PowerPC.
	address = regexp.MustCompile(`^(?:\(?\[<[^>]{1,18}>\]|\[ {0,9}<(?: +inline +|inline)>\]|\[[0-9a-f]{8,16}\] \[[0-9a-f]{8,16}\])\)? *`)
	// inlined matches an inlined frame of a decoded trace.
	inlined = regexp.MustCompile(`^\[ *< *inline *> *\] *`)
	// armFrame matches what Arm prints before a frame: the function that was called.
	armFrame = regexp.MustCompile(`^\(?([A-Za-z_][\w.]*)(?:\+0x[0-9a-f]+/0x[0-9a-f]+)?\)? from (?:\[<[0-9a-f]+>\] )?\(?`)
	// counter matches the line of the function in which the processor was.
	counter = regexp.MustCompile(`^\s*(?:RIP:? *|EIP:? *|EIP is at |IP: *|e?pc *: *|PC is at |NIP |Krnl PSW : |ERA: )(?:[0-9a-f]{4}:)?(?:\[?<?[0-9a-f]{8,16}>?\]? *)*\(?([A-Za-z_][\w.$]*\+0x[0-9a-f]+/0x[0-9a-f]+)`)
	// link matches the line of the function that has called the one of the counter.
	link = regexp.MustCompile(`^\s*(?:LR is at |lr *: *|LR |ra *: *)(?:\[?<?[0-9a-f]{8,16}>?\]? *)*([A-Za-z_][\w.$]*\+0x[0-9a-f]+/0x[0-9a-f]+)`)
	// suffix matches what the compiler adds to the name of a function.
	suffix = regexp.MustCompile(`\.(?:isra|constprop|part|cold|llvm|lto_priv|cfi_jt|cfi)\b.*$`)
)

// parseFrame returns the frame in a line.
func parseFrame(text string) (frame, bool) {
	text = strings.TrimLeft(text, " \t")
	if !strings.Contains(text, "+0x") && !strings.Contains(text, "inline") {
		return frame{}, false
	}
	if marked := section.ReplaceAllString(text, ""); marked != text {
		text = stamp.ReplaceAllString(marked, "") // printed apart
		text = strings.TrimLeft(text, " ")
	}
	text = inlined.ReplaceAllString(text, "")
	text = address.ReplaceAllString(text, "")
	text, uncertain := strings.CutPrefix(text, "? ")
	uncertain = uncertain || strings.HasSuffix(text, " (unreliable)") // PowerPC
	text = armFrame.ReplaceAllString(text, "")
	match := symbol.FindStringSubmatch(text)
	if match == nil {
		return frame{}, false
	}
	return frame{match[0], plainName(match[1]), !uncertain}, true
}

// plainName returns the name of a function without what the compiler adds to it.
func plainName(name string) string {
	if at := strings.IndexAny(name, "+ "); at >= 0 {
		name = name[:at]
	}
	return systemCall.ReplaceAllString(suffix.ReplaceAllString(name, ""), "$1$2")
}

// systemCall matches the names of a system call of an architecture or of an ABI.
var systemCall = regexp.MustCompile(`^(?:__(?:x64|ia32|arm64|s390x?|riscv)_(?:compat_)?(sys_)|(?:__(?:se|do)_(?:compat_)?sys|(?:compat_)?SyS|(?:C_)?SYSC|_{0,4}sys|ksys)_([a-z]))`)
