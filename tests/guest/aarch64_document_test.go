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
	var output strings.Builder
	for _, block := range harness.BashBlocks(t, "docs/aarch64.md") {
		t.Logf("%s", block)
		output.WriteString(harness.Must(t, harness.Root, "bash", "-euo", "pipefail", "-c", block))
	}
	rest := output.String()
	for _, want := range []string{"the kernel is for arm64", " 0 failed", "READY after ", "aarch64\n", "login: "} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("no %q in the rest of what the commands print:\n%s", want, output.String())
		}
		rest = after
	}
}
