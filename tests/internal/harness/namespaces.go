package harness

import (
	"os"
	"strings"
	"testing"
)

// namespaceVariable is set for a test that runs in namespaces of its own.
const namespaceVariable = "MICROVM_TEST_NAMESPACE"

// InOwnMounts reports whether the test runs in its own mount namespace; see inNamespace.
func InOwnMounts(t *testing.T) bool {
	t.Helper()
	return inNamespace(t, "--mount")
}

// InOwnNetwork reports whether the test runs in its own network namespace, which has only a
// loopback interface; see inNamespace.
func InOwnNetwork(t *testing.T) bool {
	t.Helper()
	if !inNamespace(t, "--net") {
		return false
	}
	Must(t, Root, "ip", "link", "set", "lo", "up")
	return true
}

// inNamespace reports whether the test runs in its own namespace; option is that of
// unshare(1). If not, it runs the same test in a new process and namespace, with the same
// result, and the caller must return.
func inNamespace(t *testing.T, option string) bool {
	t.Helper()
	if os.Getenv(namespaceVariable) != "" {
		return true
	}
	if os.Getuid() != 0 {
		Skip(t, "root", "unshare "+option+" needs root; run scripts/test as root")
	}
	if output, err := Command(t, Root, "unshare", option, "true"); err != nil {
		Skip(t, "unshare "+option, "allow namespaces on this machine: "+output)
	}
	Build(t, "console-demo") // the namespace may have no network, which the build needs
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := NewCommand(t, "unshare", option, test, "-test.v", "-test.count=1", "-test.timeout=10m", "-test.run", "^"+t.Name()+"$")
	run.Env = append(run.Env, namespaceVariable+"=yes")
	output, err := run.CombinedOutput()
	t.Logf("in its own %s namespace:\n%s", strings.TrimPrefix(option, "--"), output)
	switch {
	case err != nil:
		t.Fatal(err)
	case !strings.Contains(string(output), "--- PASS: "+t.Name()+" "):
		t.Fatal("the test was not run in the namespace, or skipped")
	}
	return false
}
