package vmconfig_test

import (
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/vmconfig"
)

// checks returns a vm.json with a console with a login, a console without, and checks.
func checks(all ...string) string {
	return strings.Replace(
		consoles(`{"name": "serial", "device": "ttyS0", "port": 1}`, `{"name": "raw", "device": "hvc0", "port": 2, "login": false}`),
		"{", `{"checks": [`+strings.Join(all, ", ")+`], `, 1)
}

// checkMistakes are checks and every mistake in them.
var checkMistakes = []struct {
	name   string
	checks []string
	want   []string
}{
	{"nothing", []string{`{}`}, []string{
		"checks[0].name: is missing",
		"checks[0].expect: is missing: set expect or match, unless there is run or ktap",
	}},
	{"unknown and of a wrong type", []string{`{"name": "a", "command": "x", "status": "0"}`, `7`}, []string{
		"checks[0].command: unknown field (known: console, expect, ktap, match, name, run, send, status, timeoutSeconds)",
		`checks[0].status: want a whole number, got the string "0"`,
		"checks[1]: want an object, got the number 7",
		"checks[0].expect: is missing: set expect or match, unless there is run or ktap",
	}},
	{"names", []string{
		`{"name": "a", "run": "true"}`, `{"name": "b", "run": "true"}`, `{"name": "a", "run": "true"}`, `{"name": " a", "run": "true"}`,
		`{"name": "a\u001b[2J", "run": "true"}`, `{"name": "` + strings.Repeat("a", 121) + `", "run": "true"}`,
	}, []string{
		`checks[2].name: "a" is also the name of checks[0] (names must differ)`,
		`checks[3].name: invalid name " a": want printable characters without surrounding spaces`,
		`checks[4].name: invalid name "a\x1b[2J": want printable characters without surrounding spaces`,
		"checks[5].name: is 121 bytes long (at most 120)",
	}},
	{"two without a name", []string{`{"run": "true"}`, `{"run": "true"}`}, []string{
		"checks[0].name: is missing", "checks[1].name: is missing",
	}},
	{"consoles", []string{
		`{"name": "a", "console": "tty", "run": "true"}`, `{"name": "b", "console": "raw", "run": "true"}`,
		`{"name": "c", "console": "serail", "expect": "x"}`,
	}, []string{
		`checks[0].console: unknown console "tty" (known: serial, raw)`,
		`checks[1].run: console "raw" has no login (use a console with a login, or use send)`,
		`checks[2].console: unknown console "serail" (did you mean serial?)`,
	}},
	{"actions", []string{
		`{"name": "a", "run": "true", "send": "x", "expect": "y"}`, `{"name": "b", "run": "a\nb"}`,
		`{"name": "c", "run": "` + strings.Repeat("a", 501) + `"}`, `{"name": "d", "run": "true", "status": 256}`,
		`{"name": "e", "expect": "x", "status": 1}`, `{"name": "f", "run": "true", "timeoutSeconds": -1}`,
	}, []string{
		"checks[0].send: cannot be combined with run",
		`checks[1].run: "a\nb" is not one line of text (the guest's shell reads one line)`,
		"checks[2].run: is 501 bytes long (at most 500; put a script into the guest)",
		"checks[3].status: 256 is out of range (0 to 255)",
		"checks[4].status: needs run: only a command has a status",
		"checks[5].timeoutSeconds: -1 is out of range (1 to 86400)",
	}},
	{"expectations", []string{
		`{"name": "a", "run": "true", "expect": "x", "match": "y"}`, `{"name": "b", "send": "x"}`,
		`{"name": "c", "run": "true", "match": "a("}`, `{"name": "d", "match": "x*"}`,
		`{"name": "prints nothing", "run": "true", "match": "^$"}`,
	}, []string{
		"checks[0].match: cannot be combined with expect",
		"checks[1].expect: is missing: set expect or match, unless there is run or ktap",
		"checks[2].match: invalid regular expression \"a(\": " + syntax.ErrMissingParen.String() + ": `a(`",
		`checks[3].match: "x*" matches the empty text, so the check would always pass`,
	}},
	{"KTAP", []string{
		`{"name": "a", "ktap": true, "run": "true", "expect": "x"}`, `{"name": "b", "ktap": true, "send": "x"}`,
		`{"name": "c", "ktap": true, "status": 1}`, `{"name": "d", "ktap": true, "console": "raw"}`,
	}, []string{
		"checks[0].ktap: cannot be combined with expect and match (use a second check)",
		"checks[1].ktap: cannot be combined with send (use run)",
		"checks[2].status: needs run: only a command has a status",
	}},
	{"an echo would match", []string{
		`{"name": "a", "send": "echo 42\n", "expect": "42"}`, `{"name": "b", "send": "echo 42\r", "expect": "42\n"}`,
		`{"name": "c", "send": "echo 42\n", "match": "[0-9]+"}`,
	}, []string{
		`checks[0].expect: "42" is part of send, so the echo would match (expect something that the guest computes)`,
		`checks[1].expect: "42\n" is part of send, so the echo would match (expect something that the guest computes)`,
		`checks[2].match: "[0-9]+" matches send, so the echo would match (expect something that the guest computes)`,
	}},
}

func TestParseReportsEveryMistakeInChecks(t *testing.T) {
	for _, test := range checkMistakes {
		t.Run(test.name, func(t *testing.T) {
			_, err := vmconfig.Parse([]byte(checks(test.checks...)))
			if diff := cmp.Diff(test.want, messages(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Without a console, only that is reported.
func TestChecksWithoutConsoles(t *testing.T) {
	_, err := vmconfig.Parse([]byte(`{"name": "m", "kernel": "/k", "consoles": [], "checks": [{"name": "a", "run": "true"}]}`))
	if diff := cmp.Diff([]string{"consoles: is empty (add a console, or leave consoles out for the two default ones)"}, messages(t, err)); diff != "" {
		t.Error(diff)
	}
}

func TestCheckPatternAndConsole(t *testing.T) {
	machine, err := vmconfig.Parse([]byte(checks(
		`{"name": "a", "run": "true"}`, `{"name": "b", "console": "raw", "expect": "a.b"}`, `{"name": "c", "match": "a.b"}`)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, check := range machine.Checks {
		line := machine.CheckConsole(check).Device
		if pattern := check.Pattern(); pattern != nil {
			line += " " + pattern.String()
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"ttyS0", `hvc0 a\.b`, "ttyS0 a.b"}, got); diff != "" {
		t.Error(diff)
	}
	if !machine.Consoles[0].HasLogin() || machine.Consoles[1].HasLogin() {
		t.Error("the first console has a login, the second has none")
	}
}
