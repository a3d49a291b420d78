package guest

import (
	"path/filepath"
	"testing"

	"microvm-console/tests/internal/harness"
)

// kernelDocumentShows are texts that the commands of docs/kernel-developer.md print, in their
// order.
var kernelDocumentShows = []string{
	"no mistakes",
	" 0 failed",
	"microvm-run's status is 4",
	"panicked: Kernel panic - not syncing: sysrq triggered crash",
	"rip ",
}

// The commands of docs/kernel-developer.md work with a kernel from a user's tree. The test is
// not parallel: TestOwnKernel uses the same ports.
func TestKernelDeveloperDocument(t *testing.T) {
	if _, err := harness.Command(t, harness.Root, "bash", "-c", "command -v gdb"); err != nil {
		harness.Skip(t, "gdb", "install Debian's gdb")
	}
	home := kernelDeveloper(t, harness.PartsOfDemo(t))
	harness.Must(t, home, "bash", "-c", `printf 'bzImage:\n\t@echo built\n' >>linux/Makefile`)
	harness.Setenv(t, "PATH", filepath.Join(harness.Build(t, "tools"), "bin")+":"+harness.Getenv(t, "PATH"))
	t.Cleanup(func() { // if a block fails before microvm-shutdown
		_, _ = harness.Command(t, home, "microvm-shutdown", "--name", "own-kernel", "--force")
	})
	output := harness.RunBlocks(t, harness.Root, harness.BashBlocks(t, "docs/kernel-developer.md"))
	harness.InOrder(t, output, kernelDocumentShows...)
}
