package guest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestDebianDocument runs the commands of examples/debian/README.md: a Debian guest, with
// systemd, passes run-test, runs commands by its agent, and is reached by ssh. It is not
// parallel, since the example has fixed ports, and its guest needs the whole machine.
func TestDebianDocument(t *testing.T) {
	harness.OnlyAll(t)
	if os.Getuid() != 0 {
		harness.Skip(t, "root", "debootstrap needs root; run scripts/test as root")
	}
	home := harness.UserFolder(t)
	harness.Setenv(t, "HOME", home)
	// The test runs as root, and a fresh machine has no sudo.
	harness.Must(t, home, "mkdir", "bin")
	harness.WriteFile(t, filepath.Join(home, "bin", "sudo"), "#!/bin/sh\nexec \"$@\"\n")
	harness.Must(t, home, "chmod", "+x", "bin/sudo")
	tools := filepath.Join(harness.Build(t, "tools"), "bin")
	harness.Setenv(t, "PATH", strings.Join([]string{tools, filepath.Join(home, "bin"), harness.Getenv(t, "PATH")}, ":"))
	t.Cleanup(func() { // if a command fails before microvm-shutdown
		_, _ = harness.Command(t, home, "microvm-shutdown", "--name", "debian", "--force")
	})
	output := harness.RunBlocks(t, harness.Root, harness.BashBlocks(t, "examples/debian/README.md"))
	harness.InOrder(t, output, " 0 failed", "READY after ", "running\n", "-cloud-amd64\n", "shut down by the guest agent")
}
