package verdict

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"microvm-console/internal/kevent"
	"microvm-console/internal/plaintext"
)

const (
	// keptBytes is how much of its newest output a console keeps: longer than any report.
	keptBytes = 128 << 10
	// maxStamps is how many times of the kernel's lines a console keeps.
	maxStamps = 1 << 17
	// maxLines is how many lines of a report an Event has at most: its first ones and its last
	// lastLines, as an OOM report ends with the killed process. One more line between them counts those
	// left out.
	maxLines, lastLines = 40, 5
)

// console is the output of one console.
type console struct {
	device  string
	scanner *kevent.Scanner
	end     int64  // the offset after the last byte
	kept    []byte // the newest output since the last gap, up to end
	rest    []byte // the beginning of a line that has not ended, at most stampBytes

	// stretches are the parts of the output without a gap, at least one. Between two of them is
	// a gap.
	stretches []stretch
	gaps      []Gap // at most maxEvents
	more      bool  // there were more gaps
	stamps    int   // in all stretches
}

// stretch has the times of the kernel's lines in a part of the output without a gap, in
// microseconds.
type stretch []int64

// stampBytes is how much of a line is searched for the kernel's time.
const stampBytes = 96

// stamp matches the beginning of a line of the kernel's log. Its group is the kernel's prefix.
var stamp = regexp.MustCompile(`^[^\n]{0,64}?(` + kevent.LinePrefix + `)`)

func newConsole(device string, offset int64) *console {
	return &console{device: device, scanner: kevent.NewScanner(offset), end: offset, stretches: []stretch{nil}}
}

func (c *console) feed(data []byte) {
	c.kept = append(c.kept, data...)
	if len(c.kept) > 2*keptBytes {
		c.kept = slices.Clone(c.kept[len(c.kept)-keptBytes:])
	}
	for line := range bytes.Lines(data) {
		c.end += int64(len(line))
		c.rest = append(c.rest, line[:min(len(line), max(0, stampBytes-len(c.rest)))]...)
		if line[len(line)-1] == '\n' {
			c.checkDropped(c.rest)
			c.stamped(c.rest)
			c.rest = c.rest[:0]
		}
	}
}

// dropped matches what the kernel prints if its log buffer was full: messages are missing before the rest
// of the line, or before the next one (kernel/printk/printk.c).
var dropped = regexp.MustCompile(`\*\* ([0-9]+) printk messages dropped \*\*`)

// checkDropped adds a gap if the kernel has dropped messages before the end of a line.
func (c *console) checkDropped(line []byte) {
	if bytes.IndexByte(line, '*') < 0 {
		return
	}
	if match := dropped.FindSubmatch(line); match != nil {
		c.missing(-1, fmt.Sprintf("the kernel has dropped %s messages: give it a larger log_buf_len=, or let it print less", match[1]))
	}
}

// printed reports whether the console has printed something, of which a part may be missing.
func (c *console) printed() bool { return len(c.kept) > 0 || len(c.gaps) > 0 }

// stamped notes the time of the kernel that a line has, if any.
func (c *console) stamped(line []byte) {
	if bytes.IndexByte(line, '[') < 0 || c.stamps == maxStamps {
		return
	}
	match := stamp.FindSubmatch(line)
	if match == nil {
		return
	}
	seconds, _, _ := strings.Cut(string(match[1][1:]), "]") // "    1.234567"
	micros, _ := strconv.ParseInt(strings.Replace(strings.TrimLeft(seconds, " "), ".", "", 1), 10, 64)
	last := &c.stretches[len(c.stretches)-1]
	*last = append(*last, micros)
	c.stamps++
}

// gap processes a gap in the output; see Judge.Gap.
func (c *console) gap(n, printed int64, cause string) {
	c.end += n
	c.kept = c.kept[:0]
	c.rest = c.rest[:0]
	if last := len(c.gaps) - 1; n == 0 && last >= 0 && c.gaps[last].Offset == c.end && c.gaps[last].Cause == cause {
		c.gaps[last].Bytes = printed // the same gap, which has grown
		return
	}
	c.missing(printed, cause)
}

// missing adds a gap before the next byte; printed is how many bytes are missing, -1 if that is unknown.
func (c *console) missing(printed int64, cause string) {
	if len(c.gaps) == maxEvents {
		c.more = true
		return
	}
	c.gaps = append(c.gaps, Gap{c.device, c.end, printed, cause})
	c.stretches = append(c.stretches, nil)
}

// lines returns the first and the last lines of a report, as far as the console still has them. The first one begins
// with what precedes the report on its line.
func (c *console) lines(begin, end int64) []string {
	first := c.end - int64(len(c.kept))
	begin, end = max(begin, first), min(end, c.end)
	if begin >= end {
		return []string{}
	}
	begin = first + int64(bytes.LastIndexByte(c.kept[:begin-first], '\n')) + 1
	text := strings.TrimRight(string(c.kept[begin-first:end-first]), "\r\n")
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = plaintext.Line(strings.TrimRight(line, "\r"))
	}
	if more := len(lines) - maxLines; more > 1 { // one line would only be replaced
		lines = slices.Replace(lines, maxLines-lastLines, len(lines)-lastLines, fmt.Sprintf("… %d more lines", more))
	}
	return lines
}

// gapsOf returns the gaps of a console: those in which the kernel may have printed something that no
// other console has, and the covered ones.
func (j *Judge) gapsOf(c *console) (uncovered, covered []Gap) {
	for i, gap := range c.gaps {
		before, after := int64(-1), int64(-1) // the times of the kernel's lines next to the gap
		for _, s := range c.stretches[:i+1] {
			if len(s) > 0 {
				before = s[len(s)-1]
			}
		}
		for _, s := range slices.Backward(c.stretches[i+1:]) {
			if len(s) > 0 {
				after = s[0]
			}
		}
		covers := func(other *console) bool { return other != c && other.covers(before, after) }
		if c.more && i == maxEvents-1 || !slices.ContainsFunc(j.consoles, covers) {
			uncovered = append(uncovered, gap)
		} else {
			covered = append(covered, gap)
		}
	}
	return uncovered, covered
}

// covers reports whether the console has all that the kernel has printed between two of its
// lines, which are given by their times; -1 is the beginning or the end of the log. It has if
// both lines are there with no gap between them.
func (c *console) covers(before, after int64) bool {
	if c.more || c.stamps == maxStamps {
		return false
	}
	for i, s := range c.stretches {
		from := slices.Index(s, max(before, 0)) // the kernel's first line has the time 0
		switch {
		case from < 0 || before < 0 && i > 0:
		case after < 0 && i == len(c.stretches)-1:
			return true
		case after >= 0 && slices.Contains(s[from:], after):
			return true
		}
	}
	return false
}
