package vmconfig

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Check is a check of the guest, which run-test makes once somebody is logged in
// wherever there is a login.
//
// With Run, a command's answer is looked at. With Send, text is typed. With
// neither, the console is waited for to have printed something.
type Check struct {
	// Name names it in the report: printable, and unlike that of any other check.
	// Required. run-test refuses the names of its own checks too.
	Name string `json:"name"`
	// Console is the name of the console that is meant. Default: the first one.
	Console string `json:"console,omitempty"`
	// Run is a command, of one line, for the shell of root on that console. It
	// is run in a shell of its own, as by eval. What the shell computes tells
	// where its output begins and ends: no echo is taken for it.
	Run string `json:"run,omitempty"`
	// Send is text to be typed as it stands; "\n" is the key Enter. Mind that a
	// terminal echoes it.
	Send string `json:"send,omitempty"`
	// Expect is a text, and Match a regular expression (Go's regexp, RE2; flags as
	// in "(?m)"), that is to be found: with Run in the command's output, with Send
	// in what the console prints from then on, else in all that it has printed in
	// this boot. Exactly one of both; none is needed with Run. Line ends are "\n"
	// whatever the guest prints. What looks like a line of the kernel, beginning
	// with the time in brackets, is never part of a command's output.
	Expect string `json:"expect,omitempty"`
	Match  string `json:"match,omitempty"`
	// Status is the exit status that Run is to have, 0 to 255. Default 0.
	Status int `json:"status,omitempty"`
	// TimeoutSeconds bounds the check. Default: --timeout of run-test.
	TimeoutSeconds int `json:"timeoutSeconds,omitempty"`
}

const (
	// maxCheckName is the length of the longest name of a check, in bytes.
	maxCheckName = 120
	// maxRun is the length of the longest command, in bytes: a shell on a
	// terminal takes about 1000 in a line, and some are needed around it.
	maxRun = 500
	// maxCheckSeconds is a day.
	maxCheckSeconds = 86400
)

// Pattern is what is looked for: Match, or Expect to the letter; nil: nothing.
// c must be valid.
func (c Check) Pattern() *regexp.Regexp {
	switch {
	case c.Match != "":
		return regexp.MustCompile(c.Match)
	case c.Expect != "":
		return regexp.MustCompile(regexp.QuoteMeta(c.Expect))
	}
	return nil
}

// CheckConsole is the console that the check c is about. Both must be valid.
func (m Machine) CheckConsole(c Check) Console {
	for _, console := range m.Consoles {
		if console.Name == c.Console {
			return console
		}
	}
	return m.Consoles[0]
}

// validateChecks looks at each check and at what they must not share.
func (m Machine) validateChecks(wrong func(field, format string, args ...any)) {
	names := map[string]int{}
	for i, check := range m.Checks {
		at := fmt.Sprintf("checks[%d]", i)
		within := func(field, format string, args ...any) { wrong(at+"."+field, format, args...) }
		if first, ok := names[check.Name]; ok && check.Name != "" {
			within("name", "%q is that of checks[%d] too (give each its own)", check.Name, first)
		} else {
			names[check.Name] = i
		}
		check.validateName(within)
		m.validateCheckConsole(check, within)
		check.validateAction(within)
		check.validateWant(within)
		if check.TimeoutSeconds < 0 || check.TimeoutSeconds > maxCheckSeconds {
			within("timeoutSeconds", "%d is out of range (1 to %d)", check.TimeoutSeconds, maxCheckSeconds)
		}
	}
}

// validateName wants a name that every report can carry.
func (c Check) validateName(wrong func(field, format string, args ...any)) {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
	switch {
	case c.Name == "":
		wrong("name", "is missing")
	case strings.TrimSpace(c.Name) != c.Name || strings.ContainsFunc(c.Name, unprintable):
		wrong("name", "%q is no name of a check (printable characters, no space at its ends)", c.Name)
	case len(c.Name) > maxCheckName:
		wrong("name", "is %d bytes long (at most %d)", len(c.Name), maxCheckName)
	}
}

// validateCheckConsole wants a console that exists, and a login there for a
// command.
func (m Machine) validateCheckConsole(c Check, wrong func(field, format string, args ...any)) {
	var names []string
	known := c.Console == ""
	for _, console := range m.Consoles {
		names = append(names, strconv.Quote(console.Name))
		known = known || console.Name == c.Console
	}
	switch {
	case !known:
		wrong("console", "there is no console %q (there is %s)", c.Console, strings.Join(names, ", "))
	case c.Run != "" && len(m.Consoles) > 0 && !m.CheckConsole(c).HasLogin():
		wrong("run", "console %q has no login (name one that has, or use send)", m.CheckConsole(c).Name)
	}
}

// validateAction looks at what the check does.
func (c Check) validateAction(wrong func(field, format string, args ...any)) {
	if c.Run != "" && c.Send != "" {
		wrong("send", "stands beside run (one of both)")
	}
	if strings.ContainsFunc(c.Run, unicode.IsControl) {
		wrong("run", "%q is more than a line of text (the guest's shell reads one line)", c.Run)
	}
	if len(c.Run) > maxRun {
		wrong("run", "is %d bytes long (at most %d; put a script into the guest)", len(c.Run), maxRun)
	}
	if c.Status < 0 || c.Status > 255 {
		wrong("status", "%d is out of range (0 to 255)", c.Status)
	}
	if c.Status != 0 && c.Run == "" {
		wrong("status", "stands without run (only a command has one)")
	}
}

// validateWant looks at what the check looks for.
func (c Check) validateWant(wrong func(field, format string, args ...any)) {
	switch {
	case c.Expect != "" && c.Match != "":
		wrong("match", "stands beside expect (one of both)")
	case c.Expect == "" && c.Match == "" && c.Run == "":
		wrong("expect", "is missing (expect or match; only run can do without)")
	}
	if c.Expect != "" && c.echoes(regexp.MustCompile(regexp.QuoteMeta(c.Expect))) {
		wrong("expect", "%q is part of send (its echo would do: have the guest compute it)", c.Expect)
	}
	if c.Match == "" {
		return
	}
	pattern, err := regexp.Compile(c.Match)
	switch {
	case err != nil:
		wrong("match", "%q is no regular expression (%s)", c.Match, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	case c.Run == "" && pattern.MatchString(""):
		wrong("match", "%q matches the empty text (it would always be found)", c.Match)
	case c.echoes(pattern):
		wrong("match", "%q matches send (its echo would do: have the guest compute it)", c.Match)
	}
}

// echoes tells whether the echo of what is sent has the pattern in it.
func (c Check) echoes(pattern *regexp.Regexp) bool {
	return c.Send != "" && pattern.MatchString(strings.ReplaceAll(c.Send, "\r", "\n"))
}
