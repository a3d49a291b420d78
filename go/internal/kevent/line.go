package kevent

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// maxLine is how much of a line is examined, in bytes.
const maxLine = 1 << 10

// line is a line of a console's output.
type line struct {
	begin, end int64  // offsets of its first byte, and of the first byte of the next line
	text       string // without prefixes and without the line's end
	stamped    bool   // the kernel's time is before it
	time       float64
	caller     string // "T123" or "C1" (CONFIG_PRINTK_CALLER); "" if the kernel does not print it
}

// stamp matches the kernel's prefix of a line: its time, and the caller in a second pair of
// brackets. A prompt, or a part of another line, may precede it.
var stamp = regexp.MustCompile(`\[ *([0-9]{1,9}\.[0-9]{1,9})\] ?(?:\[ *([TC][0-9]+)\] ?)?`)

// callerOnly matches the prefix of a kernel that prints callers and no times.
var callerOnly = regexp.MustCompile(`^\[ *([TC][0-9]+)\] `)

// level matches the level that a raw kernel log has before each line.
var level = regexp.MustCompile(`^<[0-9]{1,3}>`)

// hostPrefix matches what syslog and journalctl print before a line of the kernel.
var hostPrefix = regexp.MustCompile(`^(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,+Z-]+) \S+ kernel: `)

// maxPrompt is how many bytes may precede the kernel's prefix in a line.
const maxPrompt = 64

// parse returns a line for its bytes, without its end.
func parse(raw []byte, begin, end int64) line {
	l := line{begin: begin, end: end}
	raw = bytes.TrimRight(raw[:min(len(raw), maxLine)], " \t\x00")
	if bytes.IndexByte(raw, '[') >= 0 {
		if m := stamp.FindSubmatchIndex(raw); m != nil && m[0] <= maxPrompt {
			l.stamped = true
			l.time, _ = strconv.ParseFloat(string(raw[m[2]:m[3]]), 64)
			if m[4] >= 0 {
				l.caller = string(raw[m[4]:m[5]])
			}
			if !level.Match(raw[:m[0]]) && !hostPrefix.Match(raw[:m[0]]) {
				l.begin += int64(m[0])
			}
			raw = raw[m[1]:]
		}
	}
	text := string(raw)
	if m := callerOnly.FindStringSubmatch(text); m != nil && !l.stamped {
		l.caller, text = m[1], text[len(m[0]):]
	}
	if !l.stamped {
		text = hostPrefix.ReplaceAllString(level.ReplaceAllString(text, ""), "")
	}
	l.text = strings.TrimPrefix(level.ReplaceAllString(text, ""), "kmemleak: ")
	return l
}
