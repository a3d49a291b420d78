// Package tests is what needs more than one Go package: the flake, a real
// guest under a real QEMU, and the documents. scripts/test runs it.
package tests

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// root is the checkout.
const root = ".."

// system is the one that the flake is built for here.
const system = "x86_64-linux"

// absentHere is what a machine without nixpkgs cannot have, and what is made only
// when it is asked for. A test that skips for want of anything else fails in CI.
var absentHere = []string{"HOME_MANAGER", "NIXPKGS_LIB", "deadnix", "guest-kernel", "nixfmt", "statix"}

// skip skips a test that lacks a tool, and says which and what to do.
func skip(t *testing.T, tool, remedy string) {
	t.Helper()
	if os.Getenv("CI") == "true" && !slices.Contains(absentHere, tool) {
		t.Fatalf("%s is missing: %s", tool, remedy)
	}
	t.Skipf("%s is missing: %s", tool, remedy)
}

// command is a command in dir that ends with the test, output in one string.
func command(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	// Not the test's own context: a clean-up runs commands too.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, name, args...)
	run.Dir = dir
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	run.WaitDelay = 10 * time.Second
	output, err := run.CombinedOutput()
	return string(output), err
}

// must is command for one that has to work.
func must(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	output, err := command(t, dir, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, output)
	}
	return output
}

// nix runs nix in the checkout, with the package set of this machine. verb may
// be two words.
func nix(t *testing.T, verb string, args ...string) string {
	t.Helper()
	words := append(strings.Fields(verb), strings.Fields(os.Getenv("NIX_FLAGS"))...)
	return must(t, root, "nix", append(words, args...)...)
}

// build builds an attribute of the flake and returns its store path.
func build(t *testing.T, attribute string) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), "result")
	nix(t, "build", "--print-build-logs", "--out-link", link, ".#"+attribute)
	path, err := os.Readlink(link)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// program is the path of one of the demo's programs.
func program(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(build(t, "console-demo"), "bin", name)
}

// private gives the test a run dir of its own, short enough for a socket.
func private(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "microvm-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	return dir
}

func TestMain(m *testing.M) {
	printerIfAsked()
	if os.Getenv("TOOLS") == "" {
		fmt.Fprintln(os.Stderr, "tests: not prepared (run scripts/test, with the flags of go test)")
		os.Exit(2)
	}
	os.Exit(m.Run())
}
