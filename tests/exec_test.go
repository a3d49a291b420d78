package tests

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Commands in the guest, by the agent in it: output, input and status as if they
// ran here.
func TestExec(t *testing.T) {
	t.Parallel()
	private(t)
	vm := start(t, program(t, "microvm-run"), "--auto-ports")
	vm.expect(`console  hvc0   tcp localhost:\d+`, 1)
	run := program(t, "microvm-exec")
	must(t, root, run, "--wait-ready", "--", "mkfifo", "/tmp/go")
	vm.expect(`microvm-run: READY after [0-9.]+ s \(`, 1)
	both := startEmpty(t, run, "--", "sh", "-c", "echo live; read line </tmp/go; echo $line; echo error >&2; exit 5")
	both.expect("live\n", 1) // while it runs
	must(t, root, run, "--", "sh", "-c", "echo gone >/tmp/go")
	if status := both.status(); status != 5 {
		t.Errorf("status %d, want 5", status)
	}
	both.expect("gone\n", 1)
	both.expect("error\n", 1)
	input := bytes.Repeat([]byte("0123456789abcde\n"), 10000)
	cat := newCommand(t, run, "--", "cat")
	cat.Stdin = bytes.NewReader(input)
	if output, err := cat.Output(); err != nil || !bytes.Equal(output, input) {
		t.Errorf("cat: %v, %d bytes of %d", err, len(output), len(input))
	}
	output := must(t, root, run, "--", "seq", "1", "100000")
	for i, line := range strings.Split(strings.TrimSuffix(output, "\n"), "\n") {
		if line != strconv.Itoa(i+1) {
			t.Fatalf("line %d is %q", i+1, line)
		}
	}
	for script, want := range map[string]int{"exit 7": 7, "kill -9 $$": 137} {
		if status := startEmpty(t, run, "--", "sh", "-c", script).status(); status != want {
			t.Errorf("%s: status %d, want %d", script, status, want)
		}
	}
	if status := startEmpty(t, run, "--", "no-such-program").status(); status != 127 {
		t.Errorf("status %d, want 127", status)
	}
	late := startEmpty(t, run, "--timeout", "2s", "--", "sleep", "100000")
	if status := late.status(); status != 5 {
		t.Errorf("status %d, want 5", status)
	}
	must(t, root, run, "--", "sh", "-c", "! pgrep -f 'sleep 10000[0]'")
	must(t, root, program(t, "microvm-shutdown"))
	if status := vm.status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
}

// startEmpty starts a program whose input has ended.
func startEmpty(t *testing.T, name string, args ...string) *session {
	t.Helper()
	s := start(t, name, args...)
	if err := s.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// A command that outlives its guest is told what has become of that.
func TestExecToTheGuestsEnd(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		command, told string
		status        int
	}{
		{"poweroff -f; sleep 100", "the VM has ended before the command", 1},
		{"echo c >/proc/sysrq-trigger; sleep 100", "guest panicked: Kernel panic - not syncing: sysrq triggered crash", 4},
	} {
		t.Run(end.command, func(t *testing.T) {
			t.Parallel()
			private(t)
			vm := start(t, program(t, "microvm-run"), "--auto-ports")
			vm.expect(`READY after`, 1)
			run := startEmpty(t, program(t, "microvm-exec"), "--", "sh", "-c", end.command)
			status := run.status()
			if text, _ := run.look(); status != end.status || text != "microvm-exec: sh: "+end.told+"\n" {
				t.Errorf("status %d, want %d: %s", status, end.status, text)
			}
			vm.status()
		})
	}
}

// A VM for one command.
func TestRunExec(t *testing.T) {
	t.Parallel()
	dir := private(t)
	run := newCommand(t, program(t, "microvm-run"), "--auto-ports", "--exec", "--", "sh", "-c", "echo R-$((6*7)); exit 3")
	var told bytes.Buffer
	run.Stderr = &told
	output, _ := run.Output()
	if status := run.ProcessState.ExitCode(); status != 3 || string(output) != "R-42\n" {
		t.Errorf("status %d, %q\n%s", status, output, told.String())
	}
	if left, err := filepath.Glob(filepath.Join(dir, "microvm", "*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
