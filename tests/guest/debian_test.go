package guest

import (
	"os"
	"path/filepath"
	"slices"
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
	blocks := harness.BashBlocks(t, "examples/debian/README.md")
	// The kernels differ in which drivers are modules, which the initramfs must have.
	for suite, command := range map[string]string{"trixie": "sudo ./build\n", "bookworm": "sudo ./build bookworm\n"} {
		t.Run(suite, func(t *testing.T) {
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
			blocks := slices.Clone(blocks)
			blocks[0] = strings.Replace(blocks[0], "sudo ./build\n", command, 1)
			output := harness.RunBlocks(t, harness.Root, blocks)
			harness.InOrder(t, output, "installing Debian "+suite, " 0 failed", "READY after ", "running\n", "-cloud-amd64\n", "shut down by the guest agent")
		})
	}
}
