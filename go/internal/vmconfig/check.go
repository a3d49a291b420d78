package vmconfig

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"microvm-console/internal/suggest"
)

// Check is a check of the guest. run-test makes it once it is logged in on every console with
// a login.
//
// With Run, the check runs a command and examines its output and status. With Send, it types
// text. With neither, it waits for a text on the console.
type Check struct {
	// Name identifies the check in the report. Required; printable and unique. run-test also
	// refuses the names of its own checks.
	Name string `json:"name"`
	// Console is the name of the console that the check uses. Default: the first one.
	Console string `json:"console,omitempty"`
	// Run is a command of one line for root's shell on that console. It runs in a subshell,
	// as by eval. Its output is delimited by text that the shell computes, so that an echo is
	// never taken for output.
	Run string `json:"run,omitempty"`
	// Send is text to type, unchanged; "\n" is the Enter key. A terminal echoes it.
	Send string `json:"send,omitempty"`
	// Expect is a literal text, and Match a regular expression (Go's regexp, RE2; flags as
	// in "(?m)"). The check passes if it is found: with Run in the command's output, with Send
	// in what the console prints after that, otherwise in all that the console has printed in
	// this boot. Exactly one of the two must be set; with Run, both may be empty. Line ends
	// are always "\n". Lines that look like kernel messages, which begin with a time in
	// brackets, are removed from a command's output.
	Expect string `json:"expect,omitempty"`
	Match  string `json:"match,omitempty"`
	// Status is the expected exit status of Run, 0 to 255. Default 0.
	Status int `json:"status,omitempty"`
	// KTAP is set if what the check reads is the results of tests in KTAP or TAP, as the
	// kernel's kselftest and KUnit print them: each test is reported. With Run it reads the
	// command's output, otherwise all that the console prints in this boot, until the results
	// that are planned have come.
	KTAP bool `json:"ktap,omitempty"`
	// TimeoutSeconds is the timeout of the check. Default: --timeout of run-test.
	TimeoutSeconds int `json:"timeoutSeconds,omitempty"`
}

const (
	// maxCheckName is the maximum length of a check's name, in bytes.
	maxCheckName = 120
	// maxRun is the maximum length of a command, in bytes. A shell on a terminal takes about
	// 1000 in a line, and run-test adds some.
	maxRun = 500
	// maxCheckSeconds is one day.
	maxCheckSeconds = 86400
)

// Pattern returns the pattern that must be found: Match, or Expect as a literal text; nil if
// neither is set. c must be valid.
func (c Check) Pattern() *regexp.Regexp {
	switch {
	case c.Match != "":
		return regexp.MustCompile(c.Match)
	case c.Expect != "":
		return regexp.MustCompile(regexp.QuoteMeta(c.Expect))
	}
	return nil
}

// CheckConsole returns the console that c uses. m and c must be valid.
func (m Machine) CheckConsole(c Check) Console {
	for _, console := range m.Consoles {
		if console.Name == c.Console {
			return console
		}
	}
	return m.Consoles[0]
}

// validateChecks validates each check, and that their names differ.
func (m Machine) validateChecks(wrong func(field, format string, args ...any)) {
	names := map[string]int{}
	for i, check := range m.Checks {
		at := fmt.Sprintf("checks[%d]", i)
		within := func(field, format string, args ...any) { wrong(at+"."+field, format, args...) }
		if first, ok := names[check.Name]; ok && check.Name != "" {
			within("name", "%q is also the name of checks[%d] (names must differ)", check.Name, first)
		} else {
			names[check.Name] = i
		}
		check.validateName(within)
		m.validateCheckConsole(check, within)
		check.validateAction(within)
		check.validateWant(within)
		check.validateKTAP(within)
		if check.TimeoutSeconds < 0 || check.TimeoutSeconds > maxCheckSeconds {
			within("timeoutSeconds", "%d is out of range (1 to %d)", check.TimeoutSeconds, maxCheckSeconds)
		}
	}
}

// validateName validates that every report format can carry the name.
func (c Check) validateName(wrong func(field, format string, args ...any)) {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
	switch {
	case c.Name == "":
		wrong("name", "is missing")
	case strings.TrimSpace(c.Name) != c.Name || strings.ContainsFunc(c.Name, unprintable):
		wrong("name", "invalid name %q: want printable characters without surrounding spaces", c.Name)
	case len(c.Name) > maxCheckName:
		wrong("name", "is %d bytes long (at most %d)", len(c.Name), maxCheckName)
	}
}

// validateCheckConsole validates that the console exists, and that it has a login if the check
// runs a command.
func (m Machine) validateCheckConsole(c Check, wrong func(field, format string, args ...any)) {
	var names []string
	known := c.Console == ""
	for _, console := range m.Consoles {
		names = append(names, console.Name)
		known = known || console.Name == c.Console
	}
	switch {
	case !known:
		wrong("console", "unknown console %q%s", c.Console, suggest.HintOrKnown(c.Console, names))
	case c.Run != "" && len(m.Consoles) > 0 && !m.CheckConsole(c).HasLogin():
		wrong("run", "console %q has no login (use a console with a login, or use send)", m.CheckConsole(c).Name)
	case c.Send != "" && len(m.Consoles) > 0 && m.CheckConsole(c).OnlyPrints():
		wrong("send", "console %q has no input (use another console)", m.CheckConsole(c).Name)
	}
}

// validateAction validates what the check does.
func (c Check) validateAction(wrong func(field, format string, args ...any)) {
	if c.Run != "" && c.Send != "" {
		wrong("send", "cannot be combined with run")
	}
	if strings.ContainsFunc(c.Run, unicode.IsControl) {
		wrong("run", "%q is not one line of text (the guest's shell reads one line)", c.Run)
	}
	if len(c.Run) > maxRun {
		wrong("run", "is %d bytes long (at most %d; put a script into the guest)", len(c.Run), maxRun)
	}
	if c.Status < 0 || c.Status > 255 {
		wrong("status", "%d is out of range (0 to 255)", c.Status)
	}
	if c.Status != 0 && c.Run == "" {
		wrong("status", "needs run: only a command has a status")
	}
}

// validateKTAP validates that nothing else is expected of KTAP.
func (c Check) validateKTAP(wrong func(field, format string, args ...any)) {
	switch {
	case c.KTAP && (c.Expect != "" || c.Match != ""):
		wrong("ktap", "cannot be combined with expect and match (use a second check)")
	case c.KTAP && c.Send != "":
		wrong("ktap", "cannot be combined with send (use run)")
	}
}

// validateWant validates what the check expects.
func (c Check) validateWant(wrong func(field, format string, args ...any)) {
	switch {
	case c.Expect != "" && c.Match != "":
		wrong("match", "cannot be combined with expect")
	case c.Expect == "" && c.Match == "" && c.Run == "" && !c.KTAP:
		wrong("expect", "is missing: set expect or match, unless there is run or ktap")
	}
	if c.Expect != "" && c.echoes(regexp.MustCompile(regexp.QuoteMeta(c.Expect))) {
		wrong("expect", "%q is part of send, so the echo would match (expect something that the guest computes)", c.Expect)
	}
	if c.Match == "" {
		return
	}
	pattern, err := regexp.Compile(c.Match)
	switch {
	case err != nil:
		wrong("match", "invalid regular expression %q: %s", c.Match, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	case c.Run == "" && pattern.MatchString(""):
		wrong("match", "%q matches the empty text, so the check would always pass", c.Match)
	case c.echoes(pattern):
		wrong("match", "%q matches send, so the echo would match (expect something that the guest computes)", c.Match)
	}
}

// echoes reports whether the echo of Send matches the pattern.
func (c Check) echoes(pattern *regexp.Regexp) bool {
	return c.Send != "" && pattern.MatchString(strings.ReplaceAll(c.Send, "\r", "\n"))
}
