package guest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// The commands of docs/aarch64.md work: run-test passes for a guest of another architecture.
func TestAarch64Document(t *testing.T) {
	t.Parallel()
	harness.OnlyAll(t)
	if _, err := exec.LookPath("qemu-system-aarch64"); err != nil {
		harness.Skip(t, "qemu-system-aarch64", "install Debian's qemu-system-arm")
	}
	for _, name := range []string{"GOPATH", "GOCACHE"} { // before HOME changes
		harness.Setenv(t, name, strings.TrimSpace(harness.Must(t, harness.Root, "go", "env", name)))
	}
	harness.OwnFolders(t)
	home := t.TempDir()
	harness.Setenv(t, "HOME", home)
	harness.Setenv(t, "PATH", filepath.Join(harness.Build(t, "tools"), "bin")+":"+harness.Getenv(t, "PATH"))
	t.Cleanup(func() { // if a command fails before microvm-shutdown
		_, _ = harness.Command(t, home, "microvm-shutdown", "--all", "--force")
	})
	output := harness.RunBlocks(t, harness.Root, harness.BashBlocks(t, "docs/aarch64.md"))
	harness.InOrder(t, output, "the kernel is for arm64", " 0 failed", "READY after ", "aarch64\n", "login: ")
}
