package tests

import (
	"os"
	"strings"
	"testing"
)

// apartVariable is set for a test that runs apart.
const apartVariable = "MICROVM_TEST_APART"

// ownMounts tells whether the test runs with mounts of its own; see apart.
func ownMounts(t *testing.T) bool {
	t.Helper()
	return apart(t, "--mount")
}

// ownNetwork tells whether the test runs with a network of its own, which has the
// loopback addresses alone; see apart.
func ownNetwork(t *testing.T) bool {
	t.Helper()
	if !apart(t, "--net") {
		return false
	}
	must(t, root, "ip", "link", "set", "lo", "up")
	return true
}

// apart tells whether the test runs with something of its own (see unshare(1)), which
// ends with it. Where it does not, it runs the same test so, and tells how that went:
// the caller returns.
func apart(t *testing.T, own string) bool {
	t.Helper()
	if os.Getenv(apartVariable) != "" {
		return true
	}
	if os.Getuid() != 0 {
		skip(t, "root", "unshare "+own+" needs it; run scripts/test as root")
	}
	if output, err := command(t, root, "unshare", own, "true"); err != nil {
		skip(t, "unshare "+own, "allow namespaces here: "+output)
	}
	program(t, "qemu-relay") // it may have to be built, which takes time and a network
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := newCommand(t, "unshare", own, test, "-test.v", "-test.count=1", "-test.timeout=10m", "-test.run", "^"+t.Name()+"$")
	run.Env = append(run.Env, apartVariable+"=yes")
	output, err := run.CombinedOutput()
	t.Logf("with its own %s:\n%s", strings.TrimPrefix(own, "--"), output)
	switch {
	case err != nil:
		t.Fatal(err)
	case !strings.Contains(string(output), "--- PASS: "+t.Name()+" "):
		t.Fatal("it was not run, or skipped")
	}
	return false
}
