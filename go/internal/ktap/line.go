package ktap

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"microvm-console/internal/kevent"
)

var (
	// kernelTime matches what begins a line of the kernel, also with its level.
	kernelTime = regexp.MustCompile(`(?:<\d{1,3}>)?` + kevent.LinePrefix)

	versionLine = regexp.MustCompile(`K?TAP version \d{1,3}$`)
	planLine    = regexp.MustCompile(`^1\.\.(\d{1,9})(?:\s*#\s*((?i:skip)\S*)\s*(.*))?\s*$`)
	resultLine  = regexp.MustCompile(`^(not )?ok (\d{1,9})(?:\s+-)?(?:\s+(.*))?$`)
	subtestLine = regexp.MustCompile(`^(?:Subtest: (.+)|(selftests: .+))$`)
	bailLine    = regexp.MustCompile(`^Bail out!\s*(.*)$`)
	directive   = regexp.MustCompile(`(?:^|\s)# ?(.*)$`)
)

// kind is what a line says.
type kind int

const (
	other   kind = iota // a diagnostic, or nothing of KTAP
	version             // a new list of results begins
	plan                // how many results there will be
	subtest             // the name of the test that begins
	result
	bail // the program gives up
)

// line is a line of KTAP.
type line struct {
	kind   kind
	width  int // of what precedes it: more is a deeper level
	text   string
	failed bool   // "not ok"
	number int    // of a result, or in a plan
	note   string // what follows " # ", or why nothing is run
}

// parse parses a line without a kernel's time.
func parse(text string) line {
	rest, width := text, 0
	for strings.HasPrefix(rest, "# ") || strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "\t") {
		step := 1
		if rest[0] == '#' {
			step = 2
			// The comment with the name of a test has the level of its results.
			if match := subtestLine.FindStringSubmatch(rest[2:]); match != nil {
				return named(match, width)
			}
		}
		rest, width = rest[step:], width+step
	}
	if match := planLine.FindStringSubmatch(rest); match != nil {
		number, _ := strconv.Atoi(match[1]) // of nine digits at most
		return line{kind: plan, width: width, number: number, note: cmp.Or(match[3], match[2])}
	}
	if match := resultLine.FindStringSubmatch(rest); match != nil {
		number, _ := strconv.Atoi(match[2])
		name, note := describe(match[3])
		return line{kind: result, width: width, failed: match[1] != "", number: number, text: name, note: note}
	}
	if match := bailLine.FindStringSubmatch(rest); match != nil {
		return line{kind: bail, width: width, note: match[1]}
	}
	if at := versionLine.FindStringIndex(rest); at != nil {
		if at[0] > 0 {
			width = 0 // it follows other text, such as a prompt
		}
		return line{kind: version, width: width}
	}
	return line{kind: other, width: width, text: text}
}

// named returns the line that names a test: KUnit prints it one level deeper than the result
// of the test, and so does kselftest's runner after its "# ".
func named(match []string, width int) line {
	if match[2] != "" {
		return line{kind: subtest, width: width + len("# "), text: match[2]}
	}
	return line{kind: subtest, width: width, text: match[1]}
}

// describe splits the description of a result into a name and what follows " # ".
func describe(text string) (name, note string) {
	name = text
	if at := directive.FindStringSubmatchIndex(text); at != nil {
		name, note = text[:at[0]], strings.TrimSpace(text[at[2]:])
	}
	return strings.TrimSpace(strings.ReplaceAll(name, `\#`, "#")), note
}

// outcome returns the outcome of a result, and why it has not passed. A test that is known to
// fail is one that was skipped.
func (l line) outcome() (Outcome, string) {
	word, reason, _ := strings.Cut(l.note, " ")
	switch strings.ToUpper(strings.TrimRight(word, ":")) {
	case "SKIP", "SKIPPED":
		return Skipped, strings.TrimSpace(reason)
	case "TODO", "XFAIL":
		if l.failed {
			return Skipped, "expected to fail: " + l.note
		}
	}
	if l.failed {
		return Failed, l.note
	}
	return Passed, ""
}
