package consoletest

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/report"
	"microvm-console/internal/vmconfig"
)

// ktapResults runs a check, and returns its results in words.
func ktapResults(t *testing.T, s *Suite, limit time.Duration) []string {
	var got []string
	Run(limited(t), s.declared(), limit, func(result report.Result, done bool) {
		switch {
		case !done:
		case result.Err != nil:
			got = append(got, "failed: "+result.Name+": "+result.Err.Error())
		case result.Skipped != "":
			got = append(got, "skipped: "+result.Name)
		case result.NotRun != "":
			got = append(got, "not run: "+result.Name)
		default:
			got = append(got, "passed: "+result.Name+": "+result.Summary)
		}
	})
	return got
}

// A check that reads KTAP from a command reports each test.
func TestKTAPOfACommand(t *testing.T) {
	for _, test := range []struct {
		run  string
		want []string
	}{
		{`printf 'TAP version 13\n1..2\nok 1 a\nok 2 b # SKIP x\n'`, []string{
			"passed: k: tests: 1 passed, 1 skipped", "passed: k / a: ", "skipped: k / b",
		}},
		{`printf 'TAP version 13\n1..1\n# 1..2\n# not ok 1 a\n# not ok 2 b # no device\nnot ok 1 s\n'; exit 1`, []string{
			"failed: k: guest: tests: 2 failed", "failed: k / s / a: failed", "failed: k / s / b: no device",
		}},
		{`printf 'TAP version 13\n1..1\nok 1 a\n'; exit 3`, []string{
			`failed: k: guest: "printf 'TAP version 13\\n1..1\\nok 1 a\\n'; exit 3" on ttyS0 ended with status 3, want 0`, "passed: k / a: ",
		}},
		{`printf 'TAP version 13\n1..0 # SKIP root\n'; exit 4`, []string{
			"passed: k: tests: 1 skipped", "skipped: k / all tests",
		}},
		{`printf 'TAP version 13\n1..4\nok 1 a\nnot ok 2 a\nok 3 a \\#2\nok 4 a\n'`, []string{
			"failed: k: guest: tests: 3 passed, 1 failed", "passed: k / a: ", "failed: k / a #2: failed", "passed: k / a #2 #2: ", "passed: k / a #3: ",
		}},
		{`echo hello`, []string{
			`failed: k: guest: "echo hello" printed no results of tests (want a line "KTAP version 1" or "TAP version 13")`,
		}},
		{`printf 'TAP version 13\nok 1 a\n'`, []string{
			"failed: k: guest: the results have no plan (a line such as 1..3): some may be missing", "passed: k / a: ",
		}},
	} {
		t.Run(test.run, func(t *testing.T) {
			s := suiteOn(withShell(t), true, vmconfig.Check{Name: "k", KTAP: true, Run: test.run})
			if diff := cmp.Diff(test.want, ktapResults(t, s, time.Minute)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Without a command, the check reads the console until the results are complete. If there are
// none, it says why.
func TestKTAPOfAConsole(t *testing.T) {
	for _, test := range []struct {
		name, printed string
		want          []string
	}{
		{"KUnit", "[    0.100000] KTAP version 1\r\n[    0.100000] 1..1\r\n[    0.100000] ok 1 a\r\n", []string{
			"passed: k: tests: 1 passed", "passed: k / a: ",
		}},
		{"KUnit is disabled", "[    0.100000] kunit: disabled\r\nlogin: ", []string{
			`failed: k: guest: no results of tests on ttyS0: connection closed; last line: "login:" (the kernel has printed "kunit: disabled": add kunit.enable=1 to kernelParams)`,
		}},
		{"no KUnit", "login: ", []string{
			`failed: k: guest: no results of tests on ttyS0: connection closed; last line: "login:" (want a line "KTAP version 1" or "TAP version 13"; KUnit needs CONFIG_KUNIT=y)`,
		}},
		{"KUnit without tests", "[    0.100000] KTAP version 1\r\n[    0.100000] 1..0\r\n", []string{
			"failed: k: guest: no tests on ttyS0: their plan is 1..0 (build tests into the kernel, or correct kunit.filter_glob)",
		}},
		{"everything skipped", "TAP version 13\r\n1..0 # SKIP no device\r\n", []string{
			"passed: k: tests: 1 skipped", "skipped: k / all tests",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				console, guest := connected(t)
				go func() {
					_, _ = io.WriteString(guest, test.printed)
					_ = guest.Close()
				}()
				got := ktapResults(t, suiteOn(console, false, vmconfig.Check{Name: "k", KTAP: true}), time.Minute)
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// If the machine ends before any result, the error is how it ended.
func TestKTAPOfAMachineThatEnds(t *testing.T) {
	console, guest := connected(t)
	guest.Close()
	ctx, over := context.WithCancelCause(limited(t))
	over(fmt.Errorf("%w: a panic", ErrEnded))
	err := suiteOn(console, false, vmconfig.Check{Name: "k", KTAP: true}).declared()[0].Run(ctx)
	if err == nil || err.Error() != "guest: no results of tests on ttyS0: the VM has ended: a panic" {
		t.Errorf("got %v", err)
	}
}

// After a time limit, the test that runs has failed, and those after it have not run.
func TestKTAPTimeLimit(t *testing.T) {
	console, guest := connected(t)
	go io.WriteString(guest, "KTAP version 1\r\n1..3\r\nok 1 a\r\n")
	check := vmconfig.Check{Name: "k", KTAP: true, TimeoutSeconds: 1}
	got := ktapResults(t, suiteOn(console, false, check), time.Minute)
	want := []string{
		"failed: k: guest: tests: 1 passed, 1 failed, 1 not run: nothing within 1s",
		"passed: k / a: ", "failed: k / test 2: the output ends before its result", "not run: k / test 3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
