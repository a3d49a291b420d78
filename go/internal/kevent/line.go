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
	prefixed   bool   // not stamped, but another prefix of a kernel's log is before it
	time       float64
	caller     string // "T123" or "C1" (CONFIG_PRINTK_CALLER); "" if the kernel does not print it
}

// stamp matches the kernel's prefix of a line: its time (kernels of telephones add the
// processor or the date), and the caller in a second pair of brackets. A prompt, or a part of
// another line, may precede it.
var stamp = regexp.MustCompile(`\[ *([0-9]{1,9}\.[0-9]{1,9})(?:@[0-9]| / [0-9: .-]{1,24}| < *[0-9.]+ ?>)?\] ?(?:\[ *([TC][0-9]+)\] ?)?`)

// LinePrefix is a regular expression for what the kernel prints before a line on its consoles: its time,
// and the caller with CONFIG_PRINTK_CALLER.
const LinePrefix = `\[ {0,6}[0-9]{1,8}\.[0-9]{6}\](?:\[ *[TC][0-9]+\])? `

// callerOnly matches the prefix of a kernel that prints callers and no times.
var callerOnly = regexp.MustCompile(`^\[ *([TC][0-9]+)\] `)

// level matches the level that a raw kernel log has before each line.
var level = regexp.MustCompile(`^<[0-9]{1,3}>`)

// hostPrefix matches what syslog, journalctl, the time formats of dmesg and the records of /dev/kmsg
// have before a line of the kernel.
var hostPrefix = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`(?:` + syslogTime + `|(?:[A-Z][a-z]{2} )?` + isoTime + `(?: [A-Z]{3,5})?|[0-9]{9,11}\.[0-9]{3,9}) (?:\S+ ){0,2}kernel: `,
	isoTime + ` `,
	`[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9:]{8} `,
	`\[(?:` + syslogTime + `|[A-Z][a-z]{2}[ 0-9][0-9] [0-9:]{5}| *\+[0-9]+\.[0-9]+|< *[0-9]+\.[0-9]+ ?>)\] `,
	`[a-z0-9]{2,8} *:[a-z]{3,6} *: `,
	`[0-9]{1,3},[0-9]+,[0-9]+,[^;]{1,40};`,
}, `|`) + `)+`)

// anyTime matches a hostPrefix of times that other programs than dmesg and journalctl print too: QEMU with
// -msg timestamp=on, a CI.
var anyTime = regexp.MustCompile(`^(?:[0-9-]{10}(?:T[0-9:.+Z-]+| [0-9:.,+Z-]+) |[0-9/]{10} [0-9:]{8} )+$`)

const (
	isoTime    = `[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,+Z-]+`
	syslogTime = `(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}(?:\.[0-9]+)?(?: [0-9]{4})?`
)

// hostAfter matches what journalctl prints between the kernel's time and the line.
var hostAfter = regexp.MustCompile(`^\S{1,64} kernel: `)

// vendor matches what the kernels of telephones print after the time: processor and task.
var vendor = regexp.MustCompile(`^ *(?:<[0-9]>)?(?:[A-Z]?\[(?:[0-9]: *[^]]{1,32}: *[0-9]+|pid:[^]]{1,48}|[0-9]{1,2})\] ?|[.-]?\([0-9]\)\[[0-9]+:[^]]{1,32}\]|c[0-9] +[0-9]+ )`)

// control matches the colors of dmesg, and how a shell moves the cursor.
var control = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// prompt matches the prompt of a login or a shell, after which the kernel prints in the same line.
var prompt = regexp.MustCompile(`^[^ ]{0,64}(?: login:|[#$>]) +`)

// findStamp returns the place of the kernel's prefix in a line, as a match of stamp. Of several,
// it is the one that a headline follows: another processor has cut the first message short.
func findStamp(raw []byte) []int {
	first := stamp.FindSubmatchIndex(raw)
	if first == nil || bytes.IndexByte(raw[first[1]:], '[') < 0 {
		return first
	}
	for _, m := range stamp.FindAllSubmatchIndex(raw, maxStamps) {
		if h, _ := findHead(string(raw[m[1]:])); h != nil {
			return m
		}
	}
	return first
}

// maxStamps is how many of the kernel's prefixes are looked for in a line.
const maxStamps = 8

// parse returns a line for its bytes, without its end.
func parse(raw []byte, begin, end int64) line {
	l := line{begin: begin, end: end}
	raw = bytes.TrimRight(raw[:min(len(raw), maxLine)], " \t\x00")
	if bytes.IndexByte(raw, '[') >= 0 {
		if m := findStamp(raw); m != nil {
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
	l.text = l.withoutPrefixes(string(raw))
	return l
}

// withoutPrefixes returns the text after the kernel's time, or a whole line without it, without
// what precedes the kernel's message.
func (l *line) withoutPrefixes(text string) string {
	if l.stamped && strings.Contains(text, " kernel: ") {
		text = hostAfter.ReplaceAllString(text, "")
	}
	if strings.IndexByte(text, '\x1b') >= 0 {
		colored := text[0] == '\x1b'
		text = control.ReplaceAllString(text, "")
		if l.stamped && colored { // the color of the time ends before the space
			text = strings.TrimPrefix(text, " ")
		}
	}
	switch {
	case !l.stamped:
		if m := callerOnly.FindStringSubmatch(text); m != nil {
			l.caller, l.prefixed, text = m[1], true, text[len(m[0]):]
		}
		text = withoutLevel(text)
		if m := hostPrefix.FindString(text); m != "" {
			l.prefixed, text = l.prefixed || !anyTime.MatchString(m), text[len(m):]
		}
		text = prompt.ReplaceAllString(text, "")
	case len(text) > 1 && (strings.IndexByte(" <([.-c", text[0]) >= 0 || text[1] == '['):
		text = vendor.ReplaceAllString(text, "")
	}
	return strings.TrimPrefix(withoutLevel(text), "kmemleak: ")
}

// withoutLevel returns text without the level before it.
func withoutLevel(text string) string {
	if !strings.HasPrefix(text, "<") {
		return text
	}
	return level.ReplaceAllString(text, "")
}
