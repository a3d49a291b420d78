package guest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// microvm-run --detach returns when the guest is ready. The VM continues, and is used and
// stopped as any other.
func TestDetach(t *testing.T) {
	t.Parallel()
	dir := harness.OwnFolders(t)
	t.Cleanup(func() { _, _ = harness.Command(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"), "--force") })
	output := harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-run"), "--auto-ports", "--detach", "--timeout", harness.WaitLimit.String())
	log := filepath.Join(dir, "state", "microvm", "console-demo", "run.log")
	if !strings.Contains(output, "microvm-run: READY after ") || !strings.HasSuffix(output, ", its output is in "+log+"\n") {
		t.Error(output)
	}
	if output := harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-exec"), "--", "echo", "hello"); output != "hello\n" {
		t.Errorf("the guest printed %q", output)
	}
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	if left, err := os.ReadDir(filepath.Join(dir, "microvm")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if text := harness.ReadFile(t, log); !strings.Contains(text, "microvm-run: ended: ") {
		t.Errorf("%s: %s", log, text)
	}
}

// A kernel that panics before the guest is ready gives status 4, with its last lines, and
// nothing is left behind.
func TestDetachPanic(t *testing.T) {
	t.Parallel()
	dir := harness.OwnFolders(t)
	config := harness.DemoWith(t, map[string]any{"initrd": nil}) // the kernel finds no root
	output, err := harness.Command(t, harness.Root, harness.Tool(t, "microvm-run"), "--config", config, "--auto-ports", "--detach")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 4 || !strings.Contains(output, "microvm-run: guest panicked: Kernel panic - not syncing: ") {
		t.Errorf("%v: %s", err, output)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "microvm")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "state", "microvm", "console-demo", "run.log")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its output is kept: %v", err)
	}
}
