package guest

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// gdbLine matches the line that microvm-run prints for a VM that waits for gdb, with the socket.
var gdbLine = regexp.MustCompile(`(?m)^paused, waiting for gdb: gdb -ex 'target remote (.*)' vmlinux\r?$`)

// waitForGDB starts the demo with --gdb, and returns gdb's socket.
func waitForGDB(t *testing.T) (vm *harness.Session, socket string) {
	t.Helper()
	vm = harness.Start(t, harness.DemoProgram(t, "microvm-run"), "--accel", accelerator(), "--auto-ports", "--gdb")
	vm.Expect(gdbLine.String(), 1)
	return vm, gdbLine.FindStringSubmatch(vm.Printed())[1]
}

// runGDB runs commands of gdb on a VM, and returns what gdb prints.
func runGDB(t *testing.T, socket string, commands ...string) string {
	t.Helper()
	args := []string{"-nx", "-batch", "-ex", "set architecture i386:x86-64", "-ex", "target remote " + socket}
	for _, command := range commands {
		args = append(args, "-ex", command)
	}
	return harness.Must(t, harness.Root, "gdb", args...)
}

// TestGDB debugs a guest before its first instruction and while it runs. It is paused in the
// meantime, and the status says so.
func TestGDB(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("gdb"); err != nil {
		harness.Skip(t, "gdb", "install Debian's gdb")
	}
	harness.OwnFolders(t)
	vm, socket := waitForGDB(t)
	if info, err := os.Stat(socket); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("gdb's socket: %v, %v", info, err)
	}
	status := harness.DemoProgram(t, "console-status")
	if output := harness.Must(t, harness.Root, status); !gdbLine.MatchString(output) {
		t.Errorf("console-status does not say that the guest is paused:\n%s", output)
	}
	if output := runGDB(t, socket, "info registers rip", "detach"); !strings.Contains(output, "0xfff0") {
		t.Errorf("the guest is not at the first instruction:\n%s", output)
	}
	vm.Expect(`READY after`, 1)
	if output := runGDB(t, socket, "shell "+status, "detach"); !gdbLine.MatchString(output) {
		t.Errorf("a running guest is not paused while gdb is connected:\n%s", output)
	}
	output := harness.Must(t, harness.Root, status)
	if strings.Contains(output, "paused") || !strings.Contains(output, socket) {
		t.Errorf("the status after gdb has gone:\n%s", output)
	}
	if output := harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"), "--timeout", harness.WaitLimit.String()); !strings.Contains(output, "shut down by") {
		t.Errorf("the guest that gdb has left does not react: %s", output)
	}
	if vm.Status() != 0 {
		t.Errorf("microvm-run's status is %d:\n%s", vm.Status(), vm.Printed())
	}
}

// TestStopOfAPausedGuest checks that a guest that is paused, and so cannot react, is not asked to
// shut down.
func TestStopOfAPausedGuest(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	vm, socket := waitForGDB(t)
	const want = "agent: the guest is paused; acpi: the guest is paused"
	if output := harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown")); !strings.Contains(output, want) {
		t.Errorf("got %q, want %q", output, want)
	}
	if vm.Status() != 0 {
		t.Errorf("microvm-run's status is %d:\n%s", vm.Status(), vm.Printed())
	}
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("gdb's socket is left: %v", err)
	}
}
