package harness

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Tool is one of our programs that is bound to no machine.
func Tool(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(Build(t, "tools"), "bin", name)
}

// BuiltVariable is set for tests in such a machine: the outputs of the flake that were
// built outside, ATTRIBUTE=PATH, separated by blanks.
const BuiltVariable = "MICROVM_TEST_KVM"

// InsideKVM reports whether the tests run in such a machine.
func InsideKVM() bool { return os.Getenv(BuiltVariable) != "" }

// builtOutside has build return the outputs that were built outside.
func builtOutside() {
	for _, word := range strings.Fields(os.Getenv(BuiltVariable)) {
		attribute, path, _ := strings.Cut(word, "=")
		outputs.Store(attribute, &output{path: path})
	}
}

// Nix runs nix in the checkout, with the package set of this machine. verb may
// be two words.
func Nix(t *testing.T, verb string, args ...string) string {
	t.Helper()
	words := append(strings.Fields(verb), strings.Fields(os.Getenv("NIX_FLAGS"))...)
	return Must(t, Root, "nix", append(words, args...)...)
}

// output is an attribute of the flake: its store path once it is built.
type output struct {
	mu   sync.Mutex
	path string
}

// outputs holds an *output for each attribute that was asked for.
var outputs sync.Map

// Build builds an attribute of the flake, once, and returns its store path.
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

// DemoProgram is the path of one of the demo's programs.
func DemoProgram(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(Build(t, "console-demo"), "bin", name)
}
