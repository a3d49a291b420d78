package harness

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// OutputsVariable is set for tests that run inside the machine with KVM (see TestKVM). It has
// the outputs of the flake that were built outside: ATTRIBUTE=PATH, separated by spaces.
const OutputsVariable = "MICROVM_TEST_KVM"

// InsideKVM reports whether the tests run inside the machine with KVM.
func InsideKVM() bool { return os.Getenv(OutputsVariable) != "" }

// output is an attribute of the flake. path is its store path once it is built.
type output struct {
	mu   sync.Mutex
	path string
}

// outputs has an *output for each attribute that was built.
var outputs sync.Map

// useOutputs makes Build return outputs that were built before; see OutputsVariable.
func useOutputs(words string) {
	for _, word := range strings.Fields(words) {
		attribute, path, _ := strings.Cut(word, "=")
		outputs.Store(attribute, &output{path: path})
	}
}

// Nix runs nix in the checkout, with the package set of this machine. verb is the subcommand,
// which may be two words.
func Nix(t *testing.T, verb string, args ...string) string {
	t.Helper()
	words := append(strings.Fields(verb), strings.Fields(os.Getenv("NIX_FLAGS"))...)
	return Must(t, Root, "nix", append(words, args...)...)
}

// Build builds an attribute of the flake, once per test process, and returns its store
// path.
func Build(t *testing.T, attribute string) string {
	t.Helper()
	value, _ := outputs.LoadOrStore(attribute, &output{})
	made := value.(*output)
	made.mu.Lock()
	defer made.mu.Unlock()
	if made.path != "" {
		return made.path
	}
	link := filepath.Join(t.TempDir(), "result")
	Nix(t, "build", "--print-build-logs", "--out-link", link, ".#"+attribute)
	path, err := os.Readlink(link)
	if err != nil {
		t.Fatal(err)
	}
	made.path = path
	return path
}

// DemoProgram returns the path of a program of the demo package, which uses the demo VM.
func DemoProgram(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(Build(t, "console-demo"), "bin", name)
}

// Tool returns the path of a program of the package tools, which has no default VM.
func Tool(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(Build(t, "tools"), "bin", name)
}
