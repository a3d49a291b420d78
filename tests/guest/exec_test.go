package guest

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestExec runs commands in the guest through its agent. Their output, input and status are as
// if they ran on the host.
func TestExec(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	vm := harness.Start(t, harness.DemoProgram(t, "microvm-run"), "--auto-ports")
	vm.Expect(`console  hvc0   tcp localhost:\d+`, 1)
	run := harness.DemoProgram(t, "microvm-exec")
	harness.Must(t, harness.Root, run, "--wait-ready", "--", "mkfifo", "/tmp/go")
	vm.Expect(`microvm-run: READY after [0-9.]+ s \(`, 1)
	both := harness.StartWithoutInput(t, run, "--", "sh", "-c", "echo live; read line </tmp/go; echo $line; echo error >&2; exit 5")
	both.Expect("live\n", 1) // before the end of the command
	harness.Must(t, harness.Root, run, "--", "sh", "-c", "echo gone >/tmp/go")
	if status := both.Status(); status != 5 {
		t.Errorf("status %d, want 5", status)
	}
	both.Expect("gone\n", 1)
	both.Expect("error\n", 1)
	input := bytes.Repeat([]byte("0123456789abcde\n"), 10000)
	cat := harness.NewCommand(t, run, "--", "cat")
	cat.Stdin = bytes.NewReader(input)
	if output, err := cat.Output(); err != nil || !bytes.Equal(output, input) {
		t.Errorf("cat: %v, %d bytes of %d", err, len(output), len(input))
	}
	output := harness.Must(t, harness.Root, run, "--", "seq", "1", "100000")
	for i, line := range strings.Split(strings.TrimSuffix(output, "\n"), "\n") {
		if line != strconv.Itoa(i+1) {
			t.Fatalf("line %d is %q", i+1, line)
		}
	}
	for script, want := range map[string]int{"exit 7": 7, "kill -9 $$": 137} {
		if status := harness.StartWithoutInput(t, run, "--", "sh", "-c", script).Status(); status != want {
			t.Errorf("%s: status %d, want %d", script, status, want)
		}
	}
	if status := harness.StartWithoutInput(t, run, "--", "no-such-program").Status(); status != 127 {
		t.Errorf("status %d, want 127", status)
	}
	late := harness.StartWithoutInput(t, run, "--timeout", "2s", "--", "sleep", "100000")
	if status := late.Status(); status != 5 {
		t.Errorf("status %d, want 5", status)
	}
	harness.Must(t, harness.Root, run, "--", "sh", "-c", "! pgrep -f 'sleep 10000[0]'")
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	if status := vm.Status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
}

// TestExecUntilTheGuestEnds checks that microvm-exec prints how the guest ended if the guest
// ends before the command.
func TestExecUntilTheGuestEnds(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		command, message string
		status           int
	}{
		{"poweroff -f; sleep 100", "the VM ended before the command", 1},
		{"echo c >/proc/sysrq-trigger; sleep 100", "guest panicked: Kernel panic - not syncing: sysrq triggered crash", 4},
	} {
		t.Run(end.command, func(t *testing.T) {
			t.Parallel()
			harness.OwnFolders(t)
			vm := harness.Start(t, harness.DemoProgram(t, "microvm-run"), "--auto-ports")
			vm.Expect(`READY after`, 1)
			run := harness.StartWithoutInput(t, harness.DemoProgram(t, "microvm-exec"), "--", "sh", "-c", end.command)
			status := run.Status()
			if text := run.Printed(); status != end.status || text != "microvm-exec: sh: "+end.message+"\n" {
				t.Errorf("status %d, want %d: %s", status, end.status, text)
			}
			vm.Status()
		})
	}
}

// TestRunExec starts a VM for one command.
func TestRunExec(t *testing.T) {
	t.Parallel()
	dir := harness.OwnFolders(t)
	run := harness.NewCommand(t, harness.DemoProgram(t, "microvm-run"), "--auto-ports", "--exec", "--", "sh", "-c", "echo R-$((6*7)); exit 3")
	var stderr bytes.Buffer
	run.Stderr = &stderr
	output, _ := run.Output()
	if status := run.ProcessState.ExitCode(); status != 3 || string(output) != "R-42\n" {
		t.Errorf("status %d, %q\n%s", status, output, stderr.String())
	}
	if left, err := filepath.Glob(filepath.Join(dir, "microvm", "*")); err != nil || len(left) != 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}
