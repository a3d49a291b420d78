package guest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// exampleKernel makes the home of a user that has the VM of examples/own-kernel in ~/own-kernel, and the
// programs in PATH.
func exampleKernel(t *testing.T) (home string) {
	t.Helper()
	home = kernelDeveloper(t, harness.PartsOfDemo(t))
	harness.Setenv(t, "PATH", filepath.Join(harness.Build(t, "tools"), "bin")+":"+harness.Getenv(t, "PATH"))
	harness.Must(t, harness.Root, "cp", "-r", "examples/own-kernel", home)
	harness.Must(t, filepath.Join(home, "own-kernel"), "bash", "-euc", `
ln -s "$(command -v busybox)" "$(command -v microvm-agent)" .
ln -s ~/linux/arch/x86/boot/bzImage .
make -C ~/linux modules_install INSTALL_MOD_PATH=$PWD/modules
microvm-initrd --output initrd guest.json`)
	t.Cleanup(func() { // if a test fails before microvm-shutdown
		_, _ = harness.Command(t, home, "microvm-shutdown", "--all", "--force")
	})
	return home
}

// TestPytestExample runs the commands of examples/pytest.
func TestPytestExample(t *testing.T) {
	t.Parallel()
	debian, err := exec.LookPath("pytest-3") // the name on Debian
	if err != nil {
		harness.Skip(t, "pytest-3", "install Debian's python3-pytest")
	}
	home := exampleKernel(t)
	harness.Must(t, home, "mkdir", "-p", ".local/bin")
	harness.Must(t, home, "ln", "-s", debian, ".local/bin/pytest")
	output := harness.RunBlocks(t, harness.Root, harness.BashBlocks(t, "examples/pytest/README.md"))
	harness.InOrder(t, output, "test_kernel.py ...", "3 passed")
}

// TestGoTestExample runs the commands of examples/go-test.
func TestGoTestExample(t *testing.T) {
	t.Parallel()
	exampleKernel(t)
	output := harness.RunBlocks(t, harness.Root, harness.BashBlocks(t, "examples/go-test/README.md"))
	for _, name := range []string{"TestCommand", "TestLogin"} {
		if !strings.Contains(output, "--- PASS: "+name+" ") {
			t.Errorf("%s has not passed:\n%s", name, output)
		}
	}
}
