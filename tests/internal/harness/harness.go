// Package tests is what needs more than one Go package: the flake, a real
// guest under a real QEMU, and the documents. scripts/test runs it.
package harness

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// Root is the checkout.
const Root = ".."

// System is the one that the flake is built for here.
const System = "x86_64-linux"

// absentHere is what a machine without nixpkgs cannot have, and what is made only
// when it is asked for. A test that skips for want of anything else fails in CI.
var absentHere = []string{"/dev/vhost-vsock", "HOME_MANAGER", "NIXPKGS_LIB", "all", "deadnix", "golangci-lint", "guest-kernel", "kvm-host", "nixfmt", "statix", "testers"}

// Skip skips a test that lacks a tool, and says which and what to do.
func Skip(t *testing.T, tool, remedy string) {
	t.Helper()
	if os.Getenv("CI") == "true" && !slices.Contains(absentHere, tool) {
		t.Fatalf("%s is missing: %s", tool, remedy)
	}
	t.Skipf("%s is missing: %s", tool, remedy)
}

func Main(m *testing.M) {
	if _, prepared := os.LookupEnv("NIX_FLAGS"); !prepared {
		fmt.Fprintln(os.Stderr, "tests: not prepared (run scripts/test, with the flags of go test)")
		os.Exit(2)
	}
	if InsideKVM() {
		builtOutside()
		WaitLimit = 15 * time.Minute
	}
	os.Exit(m.Run())
}
