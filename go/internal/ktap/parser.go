package ktap

import (
	"bytes"
	"strings"
)

// Parser reads a stream. The zero value is ready to use.
type Parser struct {
	rest   []byte  // of a line that has no end yet
	cut    string  // the begin of a program's line that the kernel has cut
	levels []level // that are open, with increasing width
	begun  bool    // there was a line that begins results
	bailed bool
	why    string // of the bail-out
	notes  []string
}

// maxLine is how many bytes of a line are kept, and maxNotes how many lines before a result.
const maxLine, maxNotes = 4096, 40

// Write reads more of the stream. It returns no error.
func (p *Parser) Write(data []byte) (int, error) {
	n := len(data)
	for {
		text, rest, found := bytes.Cut(data, []byte("\n"))
		if room := maxLine - len(p.rest); room > 0 {
			p.rest = append(p.rest, text[:min(len(text), room)]...)
		}
		if !found {
			return n, nil
		}
		p.raw(strings.ReplaceAll(string(p.rest), "\r", ""))
		p.rest, data = p.rest[:0], rest
	}
}

// raw reads a line of the console, and joins a line that the kernel has cut.
func (p *Parser) raw(text string) {
	at := kernelTime.FindStringIndex(text)
	if at == nil {
		p.join(text)
		return
	}
	if before := text[:at[0]]; strings.Trim(before, "# \t") != "" { // else a program quotes the kernel's log
		p.cut += before
	}
	if len(p.cut) > maxLine {
		p.cut = ""
	}
	p.line(text[at[1]:])
}

// join reads a line, which may be the rest of one that the kernel has cut.
func (p *Parser) join(text string) {
	cut := p.cut
	p.cut = ""
	if cut != "" && parse(cut+text).kind == other && parse(text).kind != other {
		p.line(cut) // a whole line, with a kernel's line in it
		cut = ""
	}
	p.line(cut + text)
}

// line reads a line of KTAP, or any other one.
func (p *Parser) line(text string) {
	line := parse(text)
	if line.kind == version || line.kind == subtest {
		p.begun = true
	}
	if !p.begun || p.bailed {
		return
	}
	switch line.kind {
	case other:
		if strings.TrimLeft(text, " \t#") != text && len(p.notes) < maxNotes {
			p.notes = append(p.notes, text)
		}
	case bail:
		p.bailed, p.why = true, line.note
	case result:
		p.result(line)
	default:
		p.open(line)
	}
}

// open reads a line that precedes results.
func (p *Parser) open(line line) {
	p.close(line.width, false)
	level := p.level(line.width)
	switch line.kind {
	case version:
		level.follow()
	case subtest:
		level.name = line.text
	case plan:
		level.plan, level.planned = level.base+line.number, true
		if line.number == 0 {
			level.skipped = line.note
		}
	}
	p.notes = nil
}

// result reads the result of a test; what is open on deeper levels belongs to it.
func (p *Parser) result(line line) {
	test := Test{Name: line.text}
	if test.Name == "" {
		test.Name = line.note // of a test that was skipped by an old kselftest.h
	}
	if test.Name == "" {
		test.Name = numbered(line.number)
	}
	test.Outcome, test.Why = line.outcome()
	if test.Outcome == Failed {
		test.Why = strings.TrimSpace(strings.Join(append([]string{test.Why}, p.notes...), "\n"))
	}
	p.notes = nil
	if len(p.levels) > 0 && p.levels[len(p.levels)-1].width > line.width {
		why := noResult
		if test.Outcome == Failed && line.note != "" {
			why = "no result: " + line.note // such as "TIMEOUT 45 seconds" by kselftest's runner
		}
		test.Tests = p.pop(line.width, why)
	}
	level := p.level(line.width)
	level.add(test, level.base+line.number)
}

// pop closes all levels deeper than width, and returns the tests of the outermost of them. why is why
// its planned results are missing.
func (p *Parser) pop(width int, why string) []Test {
	for len(p.levels) > 1 && p.levels[len(p.levels)-2].width > width {
		p.close(p.levels[len(p.levels)-2].width, false)
	}
	last := p.levels[len(p.levels)-1]
	p.levels = p.levels[:len(p.levels)-1]
	return last.close(why, Failed)
}

// close closes all levels deeper than width whose results have not come: each becomes a failed
// test of the level above it. atEnd is set at the end of the stream.
func (p *Parser) close(width int, atEnd bool) {
	for len(p.levels) > 0 && p.levels[len(p.levels)-1].width > width {
		last := p.levels[len(p.levels)-1]
		p.levels = p.levels[:len(p.levels)-1]
		above := width
		if n := len(p.levels); n > 0 {
			above = max(above, p.levels[n-1].width)
		}
		test := Test{Name: last.name, Outcome: Failed, Why: noResult}
		if atEnd {
			test.Tests = last.close(p.ending(), NotRun)
			test.Why = p.ending()
		} else {
			test.Tests = last.close(noResult, Failed)
		}
		parent := p.level(above)
		number := parent.next()
		if test.Name == "" {
			test.Name = numbered(number - parent.base)
		}
		parent.add(test, number)
	}
}

// level returns the open level of that width. No level is deeper.
func (p *Parser) level(width int) *level {
	if n := len(p.levels); n == 0 || p.levels[n-1].width != width {
		p.levels = append(p.levels, level{width: width})
	}
	return &p.levels[len(p.levels)-1]
}

// Begun reports whether the stream has a line that begins results.
func (p *Parser) Begun() bool { return p.begun }

// Complete reports whether the results that were planned have come, or the program has given
// up.
func (p *Parser) Complete() bool {
	if p.bailed {
		return true
	}
	return len(p.levels) == 1 && p.levels[0].complete()
}

// Empty reports whether no results are planned, without a reason ("1..0").
func (p *Parser) Empty() bool {
	return len(p.levels) == 1 && p.levels[0].planned && p.levels[0].skipped == "" && len(p.levels[0].tests)+p.levels[0].plan == 0
}

// Close returns the tests, and ends the parser: what was planned and has not come is failed or
// not run.
func (p *Parser) Close() []Test {
	if len(p.rest) > 0 {
		_, _ = p.Write([]byte("\n"))
	}
	if len(p.levels) == 0 {
		return nil
	}
	if last := &p.levels[len(p.levels)-1]; last.planned && !last.complete() {
		number := last.next() // the test that ran
		last.tests = append(last.tests, Test{Name: numbered(number - last.base), Outcome: Failed, Why: p.ending()})
		last.see(number)
	}
	p.close(p.levels[0].width, true)
	top := p.levels[0]
	p.levels = nil
	return top.close(p.ending(), NotRun)
}

// ending returns why there are no more results.
func (p *Parser) ending() string {
	switch {
	case p.bailed && p.why != "":
		return "bail out: " + p.why
	case p.bailed:
		return "bail out"
	}
	return "the output ends before its result"
}
