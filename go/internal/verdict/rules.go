package verdict

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/kevent"
)

// Rules are what decides about an event. The zero value fails every event.
type Rules struct {
	Warnings Treatment // of events of the kind kevent.Warning; "" is Fail
	Allow    []Allowance
}

// Allowance allows the events whose line (Event.String) matches.
type Allowance struct {
	Match  *regexp.Regexp
	Reason string // for reports; may be ""
}

// Compile returns the regular expression of an allowance. It refuses one that allows every
// event.
func Compile(pattern string) (*regexp.Regexp, error) {
	match, err := regexp.Compile(pattern)
	switch {
	case err != nil:
		return nil, fmt.Errorf("invalid regular expression %q: %s", pattern, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	case match.MatchString(""):
		return nil, fmt.Errorf("%q matches the empty text, so every event would be allowed", pattern)
	}
	return match, nil
}

// ReadAllowances reads a file with one regular expression in each line. Empty lines, and those
// that begin with "#", have none; such a comment is the reason of the expressions below it, up
// to the next empty line. The error names the file and has every mistake.
func ReadAllowances(path string) ([]Allowance, error) {
	text, err := os.ReadFile(path)
	switch {
	case err != nil:
		return nil, err
	case bytes.IndexByte(text, 0) >= 0:
		return nil, fmt.Errorf("%s: is not text (it has NUL bytes)", path)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // an editor's byte order mark
	var all []Allowance
	var errs *multierror.Error
	reason, above := "", false // above: the line above is a comment
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		comment, isComment := strings.CutPrefix(line, "#")
		switch {
		case isComment && above:
			reason += " " + strings.TrimSpace(comment)
		case isComment:
			reason = strings.TrimSpace(comment)
		case line == "":
			reason = ""
		default:
			match, err := Compile(line)
			if err != nil {
				errs = multierror.Append(errs, fmt.Errorf("%s:%d: %w", path, i+1, err))
			}
			all = append(all, Allowance{match, reason})
		}
		above = isComment
	}
	return all, errs.ErrorOrNil()
}

// judge sets the treatment of an event.
func (r Rules) judge(e *Event) {
	e.Treatment = Fail
	if e.Kind == kevent.Warning && r.Warnings != "" {
		e.Treatment = r.Warnings
	}
	if e.Treatment == Ignore {
		return
	}
	text := e.String()
	for _, allowance := range r.Allow {
		if allowance.Match.MatchString(text) {
			e.Treatment, e.Reason = Allowed, allowance.Reason
			return
		}
	}
}
