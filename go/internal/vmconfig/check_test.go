package vmconfig_test

import (
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/vmconfig"
)

// checks is a vm.json with a console with a login, one without, and checks.
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
		"checks[0].expect: is missing (expect or match; only run can do without)",
	}},
	{"unknown and of a wrong type", []string{`{"name": "a", "command": "x", "status": "0"}`, `7`}, []string{
		"checks[0].command: unknown field (known: console, expect, match, name, run, send, status, timeoutSeconds)",
		`checks[0].status: want a whole number, got the string "0"`,
		"checks[1]: want an object, got the number 7",
		"checks[0].expect: is missing (expect or match; only run can do without)",
	}},
	{"names", []string{
		`{"name": "a", "run": "true"}`, `{"name": "b", "run": "true"}`, `{"name": "a", "run": "true"}`, `{"name": " a", "run": "true"}`,
		`{"name": "a\u001b[2J", "run": "true"}`, `{"name": "` + strings.Repeat("a", 121) + `", "run": "true"}`,
	}, []string{
		`checks[2].name: "a" is that of checks[0] too (give each its own)`,
		`checks[3].name: " a" is no name of a check (printable characters, no space at its ends)`,
		`checks[4].name: "a\x1b[2J" is no name of a check (printable characters, no space at its ends)`,
		"checks[5].name: is 121 bytes long (at most 120)",
	}},
	{"two nameless ones are not the same", []string{`{"run": "true"}`, `{"run": "true"}`}, []string{
		"checks[0].name: is missing", "checks[1].name: is missing",
	}},
	{"consoles", []string{
		`{"name": "a", "console": "tty", "run": "true"}`, `{"name": "b", "console": "raw", "run": "true"}`,
		`{"name": "c", "console": "hvc0", "expect": "x"}`,
	}, []string{
		`checks[0].console: there is no console "tty" (there is "serial", "raw")`,
		`checks[1].run: console "raw" has no login (name one that has, or use send)`,
		`checks[2].console: there is no console "hvc0" (there is "serial", "raw")`,
	}},
	{"what it does", []string{
		`{"name": "a", "run": "true", "send": "x", "expect": "y"}`, `{"name": "b", "run": "a\nb"}`,
		`{"name": "c", "run": "` + strings.Repeat("a", 501) + `"}`, `{"name": "d", "run": "true", "status": 256}`,
		`{"name": "e", "expect": "x", "status": 1}`, `{"name": "f", "run": "true", "timeoutSeconds": -1}`,
	}, []string{
		"checks[0].send: stands beside run (one of both)",
		`checks[1].run: "a\nb" is more than a line of text (the guest's shell reads one line)`,
		"checks[2].run: is 501 bytes long (at most 500; put a script into the guest)",
		"checks[3].status: 256 is out of range (0 to 255)",
		"checks[4].status: stands without run (only a command has one)",
		"checks[5].timeoutSeconds: -1 is out of range (1 to 86400)",
	}},
	{"what it looks for", []string{
		`{"name": "a", "run": "true", "expect": "x", "match": "y"}`, `{"name": "b", "send": "x"}`,
		`{"name": "c", "run": "true", "match": "a("}`, `{"name": "d", "match": "x*"}`,
		`{"name": "prints nothing", "run": "true", "match": "^$"}`,
	}, []string{
		"checks[0].match: stands beside expect (one of both)",
		"checks[1].expect: is missing (expect or match; only run can do without)",
		"checks[2].match: \"a(\" is no regular expression (" + syntax.ErrMissingParen.String() + ": `a(`)",
		`checks[3].match: "x*" matches the empty text (it would always be found)`,
	}},
	{"an echo would do", []string{
		`{"name": "a", "send": "echo 42\n", "expect": "42"}`, `{"name": "b", "send": "echo 42\r", "expect": "42\n"}`,
		`{"name": "c", "send": "echo 42\n", "match": "[0-9]+"}`,
	}, []string{
		`checks[0].expect: "42" is part of send (its echo would do: have the guest compute it)`,
		`checks[1].expect: "42\n" is part of send (its echo would do: have the guest compute it)`,
		`checks[2].match: "[0-9]+" matches send (its echo would do: have the guest compute it)`,
	}},
}

func TestParseTellsEveryMistakeInChecks(t *testing.T) {
	for _, test := range checkMistakes {
		t.Run(test.name, func(t *testing.T) {
			_, err := vmconfig.Parse([]byte(checks(test.checks...)))
			if diff := cmp.Diff(test.want, told(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Where there is no console at all, that is the mistake.
func TestChecksWithoutConsoles(t *testing.T) {
	_, err := vmconfig.Parse([]byte(`{"name": "m", "kernel": "/k", "consoles": [], "checks": [{"name": "a", "run": "true"}]}`))
	if diff := cmp.Diff([]string{"consoles: is empty (at least one console is needed; left out, there are two)"}, told(t, err)); diff != "" {
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
