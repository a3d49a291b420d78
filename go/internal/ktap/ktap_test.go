package ktap_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/ktap"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// parse returns the tests of an output, and whether it is complete.
func parse(text string) ([]ktap.Test, bool) {
	var parser ktap.Parser
	_, _ = parser.Write([]byte(text))
	complete := parser.Complete()
	return parser.Close(), complete
}

// empty reports whether an output plans no results.
func empty(text string) bool {
	var parser ktap.Parser
	_, _ = parser.Write([]byte(text))
	return parser.Empty()
}

// list returns the test cases, one in a line.
func list(text string) []string {
	tests, complete := parse(text)
	lines := []string{}
	for _, test := range ktap.Cases(tests) {
		line := fmt.Sprintf("%s: %s", test.Outcome, test.Name)
		if test.Why != "" {
			line += fmt.Sprintf(" (%s)", strings.ReplaceAll(test.Why, "\n", "|"))
		}
		lines = append(lines, line)
	}
	if empty(text) {
		lines = append(lines, "empty")
	}
	if complete {
		lines = append(lines, "complete")
	}
	return lines
}

func TestParser(t *testing.T) {
	const noResult = " (no result (its line may have been lost))"
	const ends = " (the output ends before its result)"
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{}},
		{"no version line", "1..1\nok 1 a\n", []string{}},
		{"flat", "TAP version 13\n1..2\nok 1 a\nnot ok 2 - b\n", []string{"passed: a", "failed: b", "complete"}},
		{"line ends of a terminal", "TAP version 13\r\r\n1..1\r\nok 1 a\r\n", []string{"passed: a", "complete"}},
		{"the plan at the end", "TAP version 13\nok 1 a\n1..1\n", []string{"passed: a", "complete"}},
		{"no plan", "TAP version 13\nok 1 a\n", []string{"passed: a"}},
		{"directives", "KTAP version 1\n1..7\nok 1 a # SKIP no device\nnot ok 2 b # TODO later\nnot ok 3 c # XFAIL known\n" +
			"not ok 4 d # TIMEOUT 45 seconds\nok 5 e # skip\nnot ok 6 f # exit=1\nok 7 # SKIP of an old header\n", []string{
			"skipped: a (no device)", "skipped: b (expected to fail: TODO later)", "skipped: c (expected to fail: XFAIL known)",
			"failed: d (TIMEOUT 45 seconds)", "skipped: e", "failed: f (exit=1)", "skipped: SKIP of an old header (of an old header)", "complete",
		}},
		{"lines before a failure", "KTAP version 1\n1..1\n    # a: EXPECTATION FAILED at lib/a.c:7\n    want 1\nnot ok 1 a\n", []string{
			"failed: a (# a: EXPECTATION FAILED at lib/a.c:7|    want 1)", "complete",
		}},
		{"nested by indentation", "KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n    KTAP version 1\n    1..1\n    ok 1 x\n  ok 1 a\n  not ok 2 b\nnot ok 1 s\n",
			[]string{"passed: s / a / x", "failed: s / b", "complete"}},
		{"nested by the runner", "TAP version 13\n1..1\n# selftests: net: x\n# TAP version 13\n# 1..1\n# ok 1 a\nok 1 selftests: net: x\n",
			[]string{"passed: selftests: net: x / a", "complete"}},
		{"a suite that fails by itself", "KTAP version 1\n1..1\n    1..1\n    ok 1 a\nnot ok 1 s # leak\n",
			[]string{"passed: s / a", "failed: s (leak)", "complete"}},
		{"a lost result", "KTAP version 1\n1..3\nok 1 a\nok 3 c\n", []string{"passed: a", "passed: c", "failed: test 2 (the output ends before its result)"}},
		{"a lost result of a suite", "KTAP version 1\n1..1\n    1..2\n    ok 2 b\nok 1 s\n",
			[]string{"passed: s / b", "failed: s / test 1" + noResult, "complete"}},
		{"a suite that times out", "TAP version 13\n1..1\n# selftests: net: x\n# 1..2\n# ok 1 a\nnot ok 1 selftests: net: x # TIMEOUT 45 seconds\n",
			[]string{"passed: selftests: net: x / a", "failed: selftests: net: x / test 2 (no result: TIMEOUT 45 seconds)", "complete"}},
		{"too many results", "KTAP version 1\n1..1\nok 1 a\nok 2 b\n",
			[]string{"passed: a", "passed: b", "failed: plan (2 results, the plan has 1)", "complete"}},
		{"a repeated result", "KTAP version 1\n1..3\nok 1 a\nok 1 b\nok 2 c\n", []string{"passed: a", "passed: b", "passed: c", "failed: test 3" + ends}},
		{"a repeated result of a suite", "KTAP version 1\n1..1\n    1..2\n    ok 1 a\n    ok 1 b\nok 1 s\n",
			[]string{"passed: s / a", "passed: s / b", "failed: s / test 2" + noResult, "complete"}},
		{"a wrong number", "KTAP version 1\n1..2\nok 1 a\nok 3 b\n", []string{"passed: a", "passed: b", "failed: test 2" + ends}},
		{"a crash", "KTAP version 1\n1..3\nok 1 a\n", []string{"passed: a", "failed: test 2" + ends, "not run: test 3" + ends}},
		{"a crash in a suite", "KTAP version 1\n1..3\n    # Subtest: s\n    1..3\n    ok 1 a\n[    1.000000] Oops\n", []string{
			"passed: s / a", "failed: s / test 2" + ends, "not run: s / test 3" + ends, "not run: test 2" + ends, "not run: test 3" + ends,
		}},
		{"a bail-out", "TAP version 13\n1..3\nok 1 a\nBail out! no memory\n", []string{
			"passed: a", "failed: test 2 (bail out: no memory)", "not run: test 3 (bail out: no memory)", "complete",
		}},
		{"everything skipped", "TAP version 13\n1..0 # SKIP needs root\n", []string{"skipped: all tests (needs root)", "complete"}},
		{"everything skipped, without a reason", "TAP version 13\n1..0 # skipped\n", []string{"skipped: all tests (skipped)", "complete"}},
		{"no tests", "KTAP version 1\n1..0\n", []string{"skipped: all tests", "empty", "complete"}},
		{"one program after another", "TAP version 13\n1..1\nok 1 a\nTAP version 13\n1..2\nok 1 b\nok 2 c\n",
			[]string{"passed: a", "passed: b", "passed: c", "complete"}},
		{"a program that crashes before another", "TAP version 13\n1..2\nok 2 b\nTAP version 13\n1..1\nok 1 c\n",
			[]string{"passed: b", "failed: test 1" + noResult, "passed: c", "complete"}},
		{"the kernel's time", "[    0.100000] KTAP version 1\n<6>[    0.100000][    T1] 1..1\n[    0.1] other\n[    0.100000]     1..1\n[    0.100000]     ok 1 a\n[    0.100000] ok 1 s\n",
			[]string{"passed: s / a", "complete"}},
		{"lines of the kernel between", "TAP version 13\n1..1\n[    1.000000] usb: x\nok 1 a\n", []string{"passed: a", "complete"}},
		{"cut by the kernel", "TAP version 13\n1..2\nnot [    1.000000] usb: x\r\n[    1.000001] usb: y\r\nok 1 a\nok 2[    1.000002] usb\n b\n",
			[]string{"failed: a", "passed: b", "complete"}},
		{"cut before the line's end", "TAP version 13\n1..1\nok 1 a[    1.000000] usb: x\n\n", []string{"passed: a", "complete"}},
		{"KUnit in a program's line", "TAP version 13\n1..1\nok 1[    1.000000]     ok 1 k\n a\n", []string{"passed: a / k", "complete"}},
		{"a program quotes the kernel's log", "TAP version 13\n1..2\n# dmesg: [    1.000000] usb\nok 1 a\n# [    1.000000] usb\nok 2 b\n",
			[]string{"passed: a", "passed: b", "complete"}},
		{"names with #", `TAP version 13` + "\n1..1\n" + `ok 1 issue \#7` + "\n", []string{"passed: issue #7", "complete"}},
		{"a prompt before it", "~ # TAP version 13\n1..1\nok 1 a\n", []string{"passed: a", "complete"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, list(test.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A plan does not decide how much is listed.
func TestHugePlan(t *testing.T) {
	tests, _ := parse("KTAP version 1\n1..999999999\n")
	if last := tests[len(tests)-1]; len(tests) > 2000 || !strings.HasSuffix(last.Name, " more tests") {
		t.Errorf("%d tests, the last is %+v", len(tests), last)
	}
}

// The golden files have the test cases of whole outputs.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.log")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(list(string(text)), "\n") + "\n"
		golden := strings.TrimSuffix(file, ".log") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

// The pieces in which a stream is read make no difference, and names are never empty.
func FuzzParser(f *testing.F) {
	f.Add("TAP version 13\n1..2\n# 1..1\n# ok 1 a\nok 1[    1.000000] x\n b\nnot ok 2 c # TODO\n", uint8(3))
	f.Add("KTAP version 1\n1..3\n    # Subtest: s\n    1..9\n        ok 5 a\nBail out!\n", uint8(1))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		whole, complete := parse(text)
		var parser ktap.Parser
		for rest := text; rest != ""; {
			n := min(len(rest), int(size)+1)
			_, _ = parser.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if parser.Complete() != complete {
			t.Error("complete or not, by the size of the pieces")
		}
		if diff := cmp.Diff(whole, parser.Close()); diff != "" {
			t.Error(diff)
		}
		for _, test := range ktap.Cases(whole) {
			if test.Name == "" {
				t.Errorf("a test without a name: %+v", test)
			}
		}
	})
}
