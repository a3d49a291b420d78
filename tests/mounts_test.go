package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mountsVariable is set for a test that runs with mounts of its own.
const mountsVariable = "MICROVM_TEST_MOUNTS"

// ownMounts tells whether the test runs with mounts of its own, which end with it.
// Where it does not, it runs the same test so, and tells how that went: the caller
// returns.
func ownMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(mountsVariable) != "" {
		return true
	}
	if os.Getuid() != 0 {
		skip(t, "root", "a mount needs it; run scripts/test as root")
	}
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command("unshare", "--mount", test, "-test.v", "-test.count=1", "-test.timeout=10m", "-test.run", "^"+t.Name()+"$")
	run.Env = append(os.Environ(), mountsVariable+"=yes")
	output, err := run.CombinedOutput()
	t.Logf("with mounts of its own:\n%s", output)
	switch {
	case err != nil:
		t.Fatal(err)
	case !strings.Contains(string(output), "--- PASS: "+t.Name()+" "):
		t.Fatal("it was not run, or skipped")
	}
	return false
}

// smallState puts the journals on a file system of their own, of so many MiB.
func smallState(t *testing.T, dir, size string) string {
	t.Helper()
	state := filepath.Join(dir, "state")
	must(t, root, "mkdir", state)
	must(t, root, "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", state)
	t.Cleanup(func() { must(t, root, "umount", "--lazy", state) })
	return state
}

// quotaState puts the journals on a file system of their own that counts what is
// used, and returns its path.
func quotaState(t *testing.T, dir string) string {
	t.Helper()
	state, image := filepath.Join(dir, "state"), filepath.Join(dir, "image")
	must(t, root, "truncate", "--size", "256M", image)
	must(t, root, "mkfs.btrfs", "--quiet", image)
	must(t, root, "mkdir", state)
	must(t, root, "mount", "-o", "loop", image, state)
	t.Cleanup(func() { must(t, root, "umount", "--lazy", state) })
	must(t, root, "btrfs", "quota", "enable", state)
	must(t, root, "btrfs", "quota", "rescan", "-w", state)
	return state
}
