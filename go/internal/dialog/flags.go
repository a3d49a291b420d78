package dialog

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Flags are the values of --send and --expect, in the order of the command line.
type Flags struct{ given []given }

// given is one of the flags with its value.
type given struct{ flag, value string }

const (
	flagSend   = "send"
	flagExpect = "expect"
)

// Flags returns both flags.
func (f *Flags) Flags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: flagSend, Value: value{f, flagSend}, Usage: "type `TEXT` and Enter; may be repeated, and mixed with --expect"},
		&cli.GenericFlag{Name: flagExpect, Value: value{f, flagExpect}, Usage: "wait until the output matches `REGEXP`, then go on or end"},
	}
}

// value is a cli.Generic. A slice of package cli would lose the order, split values at commas and
// trim blanks.
type value struct {
	flags *Flags
	flag  string
}

// Set appends a value. Steps checks it, so that its errors are ours.
func (v value) Set(text string) error {
	v.flags.given = append(v.flags.given, given{v.flag, text})
	return nil
}

func (v value) String() string { return "" }

// noEnter at the end of a text stands for: no Enter. chat(8) and printf(1) use it too.
const noEnter = `\c`

// Steps returns the steps, or an error about the first invalid one.
func (f *Flags) Steps() ([]Step, error) {
	var steps []Step
	for _, given := range f.given {
		step := Step{flag: "--" + given.flag, value: given.value}
		if given.flag == flagSend {
			text, bare := strings.CutSuffix(given.value, noEnter)
			if !bare {
				text += Enter
			}
			step.Send = text
		} else {
			pattern, err := compile(given.value)
			if err != nil {
				return nil, err
			}
			step.Expect, step.within = pattern, WithinLine(pattern)
			if err := checkEcho(steps, step); err != nil {
				return nil, err
			}
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// compile returns an expression in which ^ and $ match at each line.
func compile(text string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(text); err != nil {
		why := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return nil, fmt.Errorf("invalid expect %q: %s (want a regular expression as in Go, RE2)", text, why)
	}
	pattern := regexp.MustCompile("(?m:" + text + ")")
	if pattern.MatchString("") {
		return nil, fmt.Errorf("invalid expect %q: it matches the empty text (want an expression that waits for some text)", text)
	}
	return pattern, nil
}

// WithinLine reports whether a match of the expression never has a line end, nor depends on where the
// text begins.
func WithinLine(pattern *regexp.Regexp) bool {
	parsed, err := syntax.Parse(pattern.String(), syntax.Perl)
	return err == nil && noLineEnd(parsed)
}

func noLineEnd(e *syntax.Regexp) bool {
	switch e.Op {
	case syntax.OpAnyChar, syntax.OpBeginText:
		return false
	case syntax.OpLiteral:
		return !slices.Contains(e.Rune, '\n')
	case syntax.OpCharClass: // pairs of the first and the last rune of a range
		for i := 0; i < len(e.Rune); i += 2 {
			if e.Rune[i] <= '\n' && '\n' <= e.Rune[i+1] {
				return false
			}
		}
	}
	return !slices.ContainsFunc(e.Sub, func(part *syntax.Regexp) bool { return !noLineEnd(part) })
}

// checkEcho returns an error if the echo of a text that was typed since the last match matches:
// a terminal prints what is typed, and that is not an answer.
func checkEcho(before []Step, step Step) error {
	for i := len(before) - 1; i >= 0 && before[i].Expect == nil; i-- {
		if step.Expect.MatchString(strings.ReplaceAll(before[i].Send, Enter, "\n")) {
			return fmt.Errorf("%v: the echo of %v matches (expect something that the guest computes: --send 'echo $((6*7))' --expect 42)", step, before[i])
		}
	}
	return nil
}
