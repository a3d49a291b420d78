package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// demoWith writes a changed copy of the demo's vm.json and returns its path. The folder that
// run-test keeps after a failure is removed at the end of the test.
func demoWith(t *testing.T, change func(vm map[string]any)) string {
	t.Helper()
	harness.Setenv(t, "TMPDIR", harness.OwnFolders(t))
	return harness.ChangedVM(t, harness.Build(t, "console-demo"), change)
}

// runTest runs run-test with a vm.json, and returns its output and exit status.
func runTest(t *testing.T, config string, args ...string) (output string, status int) {
	t.Helper()
	output, err := harness.Command(t, harness.Root, harness.Tool(t, "run-test"), append([]string{"--config", config}, args...)...)
	return output, exitStatus(t, err)
}

// exitStatus returns the exit status of a program that ended with err.
func exitStatus(t *testing.T, err error) int {
	t.Helper()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &ended):
		t.Fatal(err)
	}
	return ended.ExitCode()
}

// evil is a command whose output has control sequences of terminals and of report formats.
const evil = `printf '\033]0;evil\007\n1..99\nok 98 - no\n]]></failure>\377'; false`

// consumers has programs that read reports: the Debian package of each, its arguments before
// the report, whether its status is 1 if a check has failed, and what it prints then.
var consumers = []struct {
	program, debian, report string
	args                    []string
	accuses                 bool
	prints                  string
}{
	{"prove", "perl", "report.tap", []string{"-e", "cat"}, true, "Failed test:  3"},
	{"junitparser", "junitparser", "report.xml", []string{"verify"}, true, ""},
	{"xmllint", "libxml2-utils", "report.xml", []string{"--xpath", "string(//testcase[failure]/@name)"}, false, "an answer"},
}

// TestReportsAreRead checks that other programs read the reports of a real guest, even if the
// guest prints control sequences.
func TestReportsAreRead(t *testing.T) {
	t.Parallel()
	config := demoWith(t, func(vm map[string]any) {
		vm["checks"] = append(vm["checks"].([]any), map[string]any{"name": "an answer", "run": evil, "expect": "well"})
	})
	for chosen, failed := range map[string]bool{"^tty": false, "^tty|^an answer": true} {
		dir := t.TempDir()
		harness.Setenv(t, "TMPDIR", dir)
		output, status := runTest(t, config, "--run", chosen, "--keep", "--format", "junit", "--output", filepath.Join(dir, "report.xml"))
		if (status != 0) != failed || strings.ContainsAny(output, "\x1b\a") {
			t.Errorf("run-test has status %d: %q", status, output)
		}
		// The folder of the journals has the report in the other formats.
		harness.Must(t, harness.Root, "bash", "-c", "cmp "+dir+"/report.xml "+dir+"/run-test-*/report.xml && mv "+dir+"/run-test-*/report.tap "+dir)
		for _, c := range consumers {
			t.Run(fmt.Sprintf("%s of a failure %v", c.program, failed), func(t *testing.T) {
				if _, err := exec.LookPath(c.program); err != nil {
					harness.Skip(t, c.program, "install Debian's "+c.debian)
				}
				output, err := harness.Command(t, harness.Root, c.program, append(c.args, filepath.Join(dir, c.report))...)
				if accuses := err != nil; accuses != (c.accuses && failed) {
					t.Errorf("%v\n%s", err, output)
				}
				if c.prints != "" && strings.Contains(output, c.prints) != failed {
					t.Errorf("want %q if and only if a check has failed:\n%s", c.prints, output)
				}
			})
		}
	}
}

// TestPanicIsOneFailure checks that a panic of a real guest is one failure in the report, that no
// check runs after it, and that the folder of --artifacts has the output.
func TestPanicIsOneFailure(t *testing.T) {
	t.Parallel()
	config := demoWith(t, func(vm map[string]any) {
		vm["checks"] = []any{
			map[string]any{"name": "a driver loads", "run": "echo c >/proc/sysrq-trigger"},
			map[string]any{"name": "and works", "run": "true"},
		}
	})
	dir := filepath.Join(t.TempDir(), "artifacts")
	output, status := runTest(t, config, "--lines", "1000", "--artifacts", dir)
	if status != 4 || !strings.Contains(output, "4 passed, 1 failed, 7 not run") || strings.Contains(output, "$((") {
		t.Errorf("status %d:\n%s", status, output)
	}
	for file, want := range map[string]string{
		"report.xml":        `failures="1" errors="0" skipped="7"`,
		"report.txt":        "  guest panicked; the kernel has reported: panic",
		"report.tap":        `message: "guest panicked; the kernel has reported: panic`,
		"report.json":       `"why": "guest panicked; the kernel has reported: panic`,
		"serial.log":        "sysrq triggered crash\r\n",
		"serial.timed.log":  "Kernel panic - not syncing: sysrq triggered crash",
		"console.log":       "sysrq triggered crash\r\n",
		"console.timed.log": "Kernel panic - not syncing: sysrq triggered crash",
		"qemu.txt":          " -kernel ",
		"vm.json":           `"console-demo"`,
		"events.json":       "[",
	} {
		if text := harness.ReadFile(t, filepath.Join(dir, file)); !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%s", file, want, text)
		}
	}
}

// TestReportInJSON checks the fields that docs/run-test.md lists.
func TestReportInJSON(t *testing.T) {
	t.Parallel()
	config := demoWith(t, func(map[string]any) {})
	output, status := runTest(t, config, "--run", "^tty", "--repeat", "2", "--format", "json")
	var report struct {
		Machine string
		Passed  bool
		Runs    []struct {
			VM                      string
			Seconds, ToLoginSeconds float64
			Checks                  []struct{ Name, Result string }
		}
		Statistics struct {
			Runs, Passed   int
			ToLoginSeconds struct{ Min, Median, Max float64 }
			Checks         []struct{ Passed int }
		}
	}
	if err := json.Unmarshal([]byte(output), &report); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s", status, err, output)
	}
	spread := report.Statistics.ToLoginSeconds
	switch {
	case report.Machine != "console-demo", !report.Passed, len(report.Runs) != 2,
		report.Statistics.Runs != 2, report.Statistics.Passed != 2, len(report.Statistics.Checks) != 2,
		spread.Min <= 0, spread.Min > spread.Median, spread.Median > spread.Max:
		t.Error(output)
	}
	for _, run := range report.Runs {
		if run.Seconds < run.ToLoginSeconds || len(run.Checks) != 2 || run.Checks[1].Result != "passed" {
			t.Errorf("%+v", run)
		}
	}
}

// TestRunTestSeesTheWrongConsole checks that a guest in which ttyS0 is /dev/console fails the
// checks of the demo.
func TestRunTestSeesTheWrongConsole(t *testing.T) {
	t.Parallel()
	config := demoWith(t, func(vm map[string]any) {
		consoles := vm["consoles"].([]any)
		consoles[0], consoles[1] = consoles[1], consoles[0]
		for _, check := range vm["checks"].([]any) {
			check.(map[string]any)["console"] = "serial"
		}
	})
	output, status := runTest(t, config, "--run", "^(tty|/proc|dmesg)")
	for _, want := range []string{
		`printed "hvc0 0\nttyS0 1\n", want "hvc0 1\nttyS0 0\n" in it`,
		`"tty" on ttyS0 printed "/dev/ttyS0\n", want a match of "^/dev/hvc0\\n$" in it`,
		`want a match of "ommand line:`,
		"3 of 4 checks failed",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("the output lacks %s", want)
		}
	}
	if status != 1 || t.Failed() {
		t.Errorf("status %d:\n%s", status, output)
	}
}

// TestGuestWithoutALogin tests a guest without a login: the checks that need a shell are
// skipped, and the checks of vm.json read and type on the consoles.
func TestGuestWithoutALogin(t *testing.T) {
	t.Parallel()
	config := demoWith(t, func(vm map[string]any) {
		for _, console := range vm["consoles"].([]any) {
			console.(map[string]any)["login"] = false
		}
		vm["checks"] = []any{
			map[string]any{"name": "boots", "expect": "Linux version"},
			map[string]any{"name": "asks", "match": `(?m)^\S+ login: `},
			map[string]any{"name": "lets in", "send": "root\n", "match": `# `},
			map[string]any{"name": "computes", "send": "echo R-$((6*7))\n", "match": `(?m)^R-42$`},
			map[string]any{"name": "powers off", "send": "poweroff\n", "expect": "reboot: Power down"},
		}
	})
	output, status := runTest(t, config)
	if status != 0 || !strings.Contains(output, "9 passed, 0 failed, 6 skipped") {
		t.Errorf("status %d:\n%s", status, output)
	}
}

// TestRunTestDocument checks that the examples of vm.json in docs/run-test.md are valid.
func TestRunTestDocument(t *testing.T) {
	t.Parallel()
	text := harness.ReadFile(t, filepath.Join(harness.Root, "docs", "run-test.md"))
	for i, part := range strings.Split(text, "\n```") {
		if shown, ok := strings.CutPrefix(part, "json\n"); ok && i%2 == 1 {
			path := demoWith(t, func(vm map[string]any) {
				if err := json.Unmarshal([]byte("{"+shown+"}"), &vm); err != nil {
					t.Fatalf("%v: %s", err, shown)
				}
				if _, ok := vm["consoles"]; ok && len(vm["consoles"].([]any)) == 1 {
					delete(vm, "checks") // which need both consoles
				}
			})
			harness.Must(t, harness.Root, harness.Tool(t, "microvm-run"), "--config", path, "--check")
		}
	}
}
