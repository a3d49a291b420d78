package relay

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"microvm-console/tests/internal/harness"
)

func TestSystemdHasAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	output, err := harness.InSystemd(t, "", `
test "$(id -u)" -ge 1000
systemctl --user is-system-running --wait
systemd-run --user --quiet --wait --pipe echo "a service of $USER"
exit 7
`)
	var exit *exec.ExitError
	if output != "running\na service of developer\n" || !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("%v, output:\n%s", err, output)
	}
}

func TestSystemdRunsATestInside(t *testing.T) {
	t.Parallel()
	if !harness.InSystemdAsUser(t) {
		if left, err := harness.Command(t, harness.Root, "grep", "microvm-systemd-", "/proc/mounts", "/proc/self/cgroup"); err == nil {
			t.Errorf("files are left: %s", left)
		}
		return
	}
	if os.Getuid() == 0 {
		t.Error("the test runs as root")
	}
	harness.Must(t, harness.Root, "systemctl", "--user", "is-system-running")
	harness.Must(t, harness.Root, "./result/bin/microvm-run", "--version")
}
