package harness

import (
	"os"
	"strings"
	"testing"
)

// namespaceVariable is set for a test that runs apart.
const namespaceVariable = "MICROVM_TEST_APART"

// InOwnMounts tells whether the test runs with mounts of its own; see apart.
func InOwnMounts(t *testing.T) bool {
	t.Helper()
	return inNamespace(t, "--mount")
}

// InOwnNetwork tells whether the test runs with a network of its own, which has the
// loopback addresses alone; see apart.
func InOwnNetwork(t *testing.T) bool {
	t.Helper()
	if !inNamespace(t, "--net") {
		return false
	}
	Must(t, Root, "ip", "link", "set", "lo", "up")
	return true
}

// inNamespace tells whether the test runs with something of its own (see unshare(1)), which
// ends with it. Where it does not, it runs the same test so, and tells how that went:
// the caller returns.
func inNamespace(t *testing.T, own string) bool {
	t.Helper()
	if os.Getenv(namespaceVariable) != "" {
		return true
	}
	if os.Getuid() != 0 {
		Skip(t, "root", "unshare "+own+" needs it; run scripts/test as root")
	}
	if output, err := Command(t, Root, "unshare", own, "true"); err != nil {
		Skip(t, "unshare "+own, "allow namespaces here: "+output)
	}
	DemoProgram(t, "qemu-relay") // it may have to be built, which takes time and a network
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := NewCommand(t, "unshare", own, test, "-test.v", "-test.count=1", "-test.timeout=10m", "-test.run", "^"+t.Name()+"$")
	run.Env = append(run.Env, namespaceVariable+"=yes")
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
