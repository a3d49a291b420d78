package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// insideVariable is set for a test that runs inside the container.
const insideVariable = "MICROVM_TEST_INSIDE"

// InSystemd runs a bash script in a container that this machine's systemd has booted, as an
// ordinary user with a `systemctl --user`. The container has a copy of this machine's files,
// an empty /tmp and its own network, and is removed afterwards. InSystemd returns the output
// of the script, and its error.
//
// home is the folder that becomes the user's home; "" means an empty folder.
func InSystemd(t *testing.T, home, script string) (string, error) {
	t.Helper()
	return inSystemd(t, "developer", home, script)
}

// InSystemdAsRoot is InSystemd for a script that runs as root, without a session of its own.
func InSystemdAsRoot(t *testing.T, script string) (string, error) {
	t.Helper()
	return inSystemd(t, "root", "", script)
}

// inSystemd runs a script as a user of the container.
func inSystemd(t *testing.T, user, home, script string) (string, error) {
	t.Helper()
	if os.Getuid() != 0 {
		Skip(t, "root", "a container needs root; run scripts/test as root")
	}
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		Skip(t, "systemd-nspawn", "install systemd-container, dbus and dbus-user-session")
	}
	// The name of the folder becomes the name of a cgroup.
	dir, err := os.MkdirTemp("", "microvm-systemd-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if home == "" {
		home = t.TempDir()
	}
	WriteFile(t, filepath.Join(home, "script"), script)
	if err := os.Symlink(home, filepath.Join(dir, "home")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	run := NewCommandContext(ctx, t, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", filepath.Join(Root, "tests/internal/harness/systemd.sh"), dir, user)
	run.WaitDelay = 10 * time.Second
	boot, err := run.CombinedOutput()
	output, readErr := os.ReadFile(filepath.Join(home, "output"))
	if readErr != nil {
		t.Fatalf("systemd: the script was not run: %v\n%s", err, boot)
	}
	if err != nil {
		err = fmt.Errorf("%w, and systemd printed:\n%s", err, boot)
	}
	return string(output), err
}

// InSystemdAsUser reports whether the test runs inside such a container. If not, it builds
// the programs and runs the same test inside, with the programs in PATH and in a copy of this
// checkout, with the same result, and the caller must return.
func InSystemdAsUser(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		return true
	}
	tools, home := Build(t, "tools"), t.TempDir()
	copyCheckout(t, filepath.Join(home, "checkout"), tools)
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	Must(t, Root, "cp", test, filepath.Join(home, "test"))
	script := "cd ~/checkout/" + packageFolder(t) + "\nexport PATH=" + tools + "/bin:$PATH " + insideVariable + "=yes"
	for _, variable := range []string{"CI", "NIX_FLAGS"} {
		script += fmt.Sprintf(" %s=%q", variable, os.Getenv(variable))
	}
	script += fmt.Sprintf("\n~/test -test.v -test.count=1 -test.timeout=14m -test.run '^%s$'\n", strings.ReplaceAll(t.Name(), "/", "$/^"))
	output, err := InSystemd(t, home, script)
	t.Logf("inside, as an ordinary user:\n%s", output)
	switch {
	case err != nil:
		t.Fatal(err)
	case !strings.Contains(output, "--- PASS: "+t.Name()+" "): // go test passes if no test matches
		t.Fatal("the test was not run inside, or skipped")
	}
	return false
}

// packageFolder returns the folder of the package under test, relative to the checkout.
func packageFolder(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(Root)
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.Rel(root, here)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// copyCheckout copies this checkout, with a link result to the store path built.
func copyCheckout(t *testing.T, to, built string) {
	t.Helper()
	Must(t, Root, "mkdir", to)
	files := `git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -c | tar -C "$1" -x`
	Must(t, Root, "bash", "-euo", "pipefail", "-c", files, "copy", to)
	if err := os.Symlink(built, filepath.Join(to, "result")); err != nil {
		t.Fatal(err)
	}
}
