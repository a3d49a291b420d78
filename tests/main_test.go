// Package tests is what needs more than one Go package: the flake, a real
// guest under a real QEMU, and the documents. scripts/test runs it.
package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// root is the checkout.
const root = ".."

// system is the one that the flake is built for here.
const system = "x86_64-linux"

// absentHere is what a machine without nixpkgs cannot have, and what is made only
// when it is asked for. A test that skips for want of anything else fails in CI.
var absentHere = []string{"/dev/vhost-vsock", "HOME_MANAGER", "NIXPKGS_LIB", "all", "deadnix", "golangci-lint", "guest-kernel", "kvm-host", "nixfmt", "statix", "testers"}

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
	run := newCommandContext(ctx, t, name, args...)
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

// output is an attribute of the flake: its store path once it is built.
type output struct {
	mu   sync.Mutex
	path string
}

// outputs holds an *output for each attribute that was asked for.
var outputs sync.Map

// build builds an attribute of the flake, once, and returns its store path.
func build(t *testing.T, attribute string) string {
	t.Helper()
	value, _ := outputs.LoadOrStore(attribute, &output{})
	made := value.(*output)
	made.mu.Lock()
	defer made.mu.Unlock()
	if made.path != "" {
		return made.path
	}
	link := filepath.Join(t.TempDir(), "result")
	nix(t, "build", "--print-build-logs", "--out-link", link, ".#"+attribute)
	path, err := os.Readlink(link)
	if err != nil {
		t.Fatal(err)
	}
	made.path = path
	return path
}

// program is the path of one of the demo's programs.
func program(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(build(t, "console-demo"), "bin", name)
}

// private gives the commands of the test a run dir of their own, short enough for a
// socket.
func private(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "microvm-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	setenv(t, "XDG_RUNTIME_DIR", dir)
	setenv(t, "XDG_STATE_HOME", filepath.Join(dir, "state"))
	return dir
}

func TestMain(m *testing.M) {
	printerIfAsked()
	if _, prepared := os.LookupEnv("NIX_FLAGS"); !prepared {
		fmt.Fprintln(os.Stderr, "tests: not prepared (run scripts/test, with the flags of go test)")
		os.Exit(2)
	}
	if insideKVM() {
		builtOutside()
		waitLimit = 15 * time.Minute
	}
	os.Exit(m.Run())
}

// freePort returns a port on localhost that the kernel has just had free.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// freePorts returns a port for each of some channels, and the field of the settings
// that has the relay serve them there.
func freePorts(t *testing.T, names ...string) (ports map[string]int, settings string) {
	t.Helper()
	ports = map[string]int{}
	channels := map[string]any{}
	for _, name := range names {
		ports[name] = freePort(t)
		channels[name] = map[string]int{"tcp": ports[name]}
	}
	text, err := json.Marshal(channels)
	if err != nil {
		t.Fatal(err)
	}
	return ports, `"channels": ` + string(text)
}
