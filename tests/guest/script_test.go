package guest

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// A script logs in and gets the answers of commands. Its output is exact and ends with the last
// match. Its status is 5 if there is no match in time, and another client that types refuses it.
func TestScript(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	vm := harness.StartDemo(t, "--auto-ports")
	serial, console := harness.DemoProgram(t, "connect-serial"), harness.DemoProgram(t, "connect-console")
	harness.Must(t, harness.Root, serial, "--expect", "login: ", "--send", "root", "--expect", "# ", "--send", "dmesg -n 1", "--expect", "# ")
	for range 20 { // pieces of any size
		output := harness.Must(t, harness.Root, serial, "--send", "seq 20 | tr '\\n' ,", "--expect", `^1,2,(\d+,)*20,`, "--expect", "# ")
		if !strings.HasPrefix(output, "seq 20 | tr '\\n' ,\r\n1,2,3,") || !strings.HasSuffix(output, "# ") {
			t.Fatalf("printed %q", output)
		}
	}
	output := harness.Must(t, harness.Root, console, "--expect", "login: ", "--send", "root", "--expect", "# ",
		"--send", "echo R-$((6*7))", "--expect", "^R-42$")
	if !strings.HasSuffix(output, "echo R-$((6*7))\r\nR-42\r\n") {
		t.Errorf("printed %q", output)
	}

	if got := scriptStatus(t, console, "--send", "sleep 1000", "--expect", "# ", "--timeout", "1s"); got != 5 {
		t.Errorf("status %d without a match", got)
	}
	harness.Must(t, harness.Root, console, "--send", "\x03\\c", "--expect", "# ")

	script := harness.Start(t, serial, "--send", "echo R-$((6*7))", "--expect", "R-42", "--expect", "never")
	script.Expect("R-42", 1)
	output, err := harness.Command(t, harness.Root, serial, "--send", "x")
	if err == nil || !strings.Contains(output, " has the writer's seat (take it with --force)\n") {
		t.Errorf("%v: %s", err, output)
	}
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	script.Expect(`--expect "never": no match: console-demo ended: `, 1)
	vm.Expect("ended: ", 1)
}

// scriptStatus returns the exit status of a script that fails.
func scriptStatus(t *testing.T, program string, args ...string) int {
	t.Helper()
	_, err := harness.Command(t, harness.Root, program, args...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%q: %v", args, err)
	}
	return exit.ExitCode()
}
