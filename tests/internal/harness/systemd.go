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

// InSystemd runs a bash script on a machine that this machine's own systemd has
// booted: a container on a copy of this machine's files, with an empty /tmp and a
// network of its own, which is removed afterwards. It runs as an ordinary user with a
// `systemctl --user`. InSystemd returns what the script printed, and how it ended.
//
// home is the folder that becomes the user's home; if it is "", an empty one does.
func InSystemd(t *testing.T, home, script string) (string, error) {
	t.Helper()
	if os.Getuid() != 0 {
		Skip(t, "root", "a container needs it; run scripts/test as root")
	}
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		Skip(t, "systemd-nspawn", "install systemd-container, dbus and dbus-user-session")
	}
	// Its name becomes that of a group of processes.
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
		"sh", filepath.Join(Root, "tests/internal/harness/systemd.sh"), dir)
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

// InSystemdAsUser reports whether the test runs inside such a machine. If not, it builds
// the programs and runs the same test inside, with them in its PATH and in a copy of
// this checkout, with the same result, and the caller returns.
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
	case !strings.Contains(output, "--- PASS: "+t.Name()+" "): // a test that is not found would pass
		t.Fatal("it was not run inside, or skipped")
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

// copyCheckout makes a copy of this checkout, with the link result to what was built.
func copyCheckout(t *testing.T, to, built string) {
	t.Helper()
	Must(t, Root, "mkdir", to)
	files := `git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -c | tar -C "$1" -x`
	Must(t, Root, "bash", "-euo", "pipefail", "-c", files, "copy", to)
	if err := os.Symlink(built, filepath.Join(to, "result")); err != nil {
		t.Fatal(err)
	}
}
