// Package dialog is a scripted dialog with a guest: texts to type, and regular expressions to wait
// for, in the order of the flags --send and --expect. It reads the flags and finds the matches in
// the guest's output; its callers do the input and output.
//
// Each step sees only the output that follows the previous one: after a match, what follows the
// match; after a text, what comes once it is typed. Line ends are those of PlainEnds.
package dialog

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Enter is what the Enter key of a terminal sends.
const Enter = "\r"

// Step types a text, or waits for a match.
type Step struct {
	// Send is the text to type, with Enter.
	Send string
	// Expect is the expression to wait for; nil if the step types.
	Expect *regexp.Regexp

	within      bool   // matches of Expect are within one line
	flag, value string // as the user wrote them
}

// String returns the step as the user wrote it, for errors.
func (s Step) String() string { return s.flag + " " + strconv.Quote(s.value) }

// window is how much output is kept for a match, in bytes. A match cannot be longer.
const window = 4 << 10

// Dialog is the progress of steps along a stream. The steps run as far as the output allows, in
// each call of its methods.
type Dialog struct {
	steps []Step
	send  func(text string)

	live int64  // output before this offset was printed before the connection was made
	from int64  // output before this offset does not count
	end  int64  // the end of the output so far
	text []byte // what counts of it and may be part of a match
	last []byte // the last bytes of what counts, for LastLine
	kept int64  // the end of the last match
}

// New returns a dialog of steps. It calls send with each text to type.
func New(steps []Step, send func(text string)) *Dialog {
	return &Dialog{steps: steps, send: send}
}

// Pending returns the step that has not been done; ok is false if all are.
func (d *Dialog) Pending() (step Step, ok bool) {
	if len(d.steps) == 0 {
		return Step{}, false
	}
	return d.steps[0], true
}

// Connected begins to read at offset. Output before live was printed before now: it does not count
// for a step that follows a text.
func (d *Dialog) Connected(offset, live int64) {
	if offset != d.end {
		d.text = nil
	}
	d.end, d.live = offset, live
	d.run()
}

// Output adds output of the stream at offset. used is how many bytes of it belong to the dialog,
// whose last match ends it.
func (d *Dialog) Output(offset int64, data []byte) (used int) {
	if offset != d.end {
		d.text = nil // bytes are missing here
	}
	d.end = offset + int64(len(data))
	if skip := d.from - offset; skip < int64(len(data)) {
		data := data[max(0, skip):]
		d.text, d.last = append(d.text, data...), append(d.last, data...)
		d.last = d.last[max(0, len(d.last)-lineLength):]
	}
	d.run()
	if d.awaits() {
		return len(data)
	}
	return int(max(0, d.kept-offset))
}

// awaits reports whether a match is awaited, now or after texts.
func (d *Dialog) awaits() bool {
	return slices.ContainsFunc(d.steps, func(step Step) bool { return step.Expect != nil })
}

// Types reports whether one of steps types.
func Types(steps []Step) bool {
	return slices.ContainsFunc(steps, func(step Step) bool { return step.Expect == nil })
}

// run does the steps that the output allows.
func (d *Dialog) run() {
	for len(d.steps) > 0 {
		step := d.steps[0]
		if step.Expect == nil {
			d.from, d.text, d.last = max(d.end, d.live), nil, nil
			d.send(step.Send)
			d.steps = d.steps[1:]
			continue
		}
		end, found := find(step.Expect, d.text)
		if !found {
			d.text = bytes.Clone(d.text[forget(d.text, step.within):])
			return
		}
		d.kept = d.end - int64(len(d.text)-end)
		d.text, d.steps = d.text[end:], d.steps[1:]
	}
}

// forget returns how many bytes of text, without a match so far, cannot be part of one. It keeps the
// cost of each piece of output small.
func forget(text []byte, withinLine bool) int {
	n := max(0, len(text)-window)
	if withinLine {
		n = max(n, bytes.LastIndexByte(text, '\n')+1)
	}
	return n
}

// find returns the end of the match in raw output, of which more may follow: the end of the output
// so far is not the end of a line, or of a word. A match that needs the end of its line includes
// it, since a part of it may have been printed already.
func find(pattern *regexp.Regexp, raw []byte) (end int, found bool) {
	text := plain(raw)
	match := pattern.FindIndex(text)
	if match == nil {
		return 0, false
	}
	end = match[1]
	longer := pattern.FindIndex(append(bytes.Clone(text[:end]), 'x'))
	final := longer == nil || longer[0] != match[0] || longer[1] < end
	switch {
	case final && end == len(text):
		return 0, false
	case final && text[end] == '\n':
		end++
	}
	return rawLength(raw, end), true
}

// lineEnd matches a line's end as guests print it: a getty prints "\r\r\n\r".
var lineEnd = regexp.MustCompile(`\r*\n\r*`)

// PlainEnds returns text of a console with line ends as "\n".
func PlainEnds(text []byte) []byte { return lineEnd.ReplaceAll(text, []byte("\n")) }

// plain returns raw output with line ends as "\n". What precedes it may have ended with a part of a
// line end.
func plain(raw []byte) []byte { return PlainEnds(bytes.TrimLeft(raw, "\r")) }

// rawLength returns the length in raw of the first n bytes of plain(raw), up to the "\n" of a line
// end: it may be all that has been printed so far.
func rawLength(raw []byte, n int) int {
	at, begins := 0, true // begins reports whether a line begins at the byte at
	for ; n > 0; n-- {
		returns := len(raw[at:]) - len(bytes.TrimLeft(raw[at:], "\r"))
		if begins || raw[min(at+returns, len(raw)-1)] == '\n' {
			at += returns
		}
		begins = raw[at] == '\n'
		at++
	}
	return at
}

// lineLength bounds the result of LastLine, in bytes.
const lineLength = 200

// LastLine returns the last line that is not blank of the output since a text was typed, or its
// end; "" if there is none.
func (d *Dialog) LastLine() string {
	lines := strings.Split(strings.TrimSpace(string(d.last)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
