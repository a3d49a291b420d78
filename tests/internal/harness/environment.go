package harness

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// environments holds the variables that setenv has set, as KEY=VALUE, by the name of
// the test.
var (
	environmentsMu sync.Mutex
	environments   = map[string][]string{}
)

// Setenv sets a variable for the commands of a test and of its subtests. It leaves
// the environment of this process alone, so that the test may run in parallel with
// others.
func Setenv(t *testing.T, key, value string) {
	t.Helper()
	environmentsMu.Lock()
	defer environmentsMu.Unlock()
	if environments[t.Name()] == nil {
		t.Cleanup(func() {
			environmentsMu.Lock()
			defer environmentsMu.Unlock()
			delete(environments, t.Name())
		})
	}
	environments[t.Name()] = append(environments[t.Name()], key+"="+value)
}

// environ returns the environment of the commands of a test. The last value of a
// variable counts, as in exec.Cmd.
func environ(t *testing.T) []string {
	t.Helper()
	environmentsMu.Lock()
	defer environmentsMu.Unlock()
	all := os.Environ()
	for i := range len(t.Name()) {
		if t.Name()[i] == '/' {
			all = append(all, environments[t.Name()[:i]]...)
		}
	}
	return append(all, environments[t.Name()]...)
}

// Getenv returns the value of a variable in the environment of a test's commands.
func Getenv(t *testing.T, key string) (value string) {
	t.Helper()
	for _, variable := range environ(t) {
		if found, ok := strings.CutPrefix(variable, key+"="); ok {
			value = found
		}
	}
	return value
}

// NewCommand is exec.Command with the environment of the test, its PATH too.
func NewCommand(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	return NewCommandContext(context.Background(), t, name, args...)
}

// NewCommandContext is exec.CommandContext with the environment of the test.
func NewCommandContext(ctx context.Context, t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	run := exec.CommandContext(ctx, name, args...)
	if !strings.Contains(name, "/") {
		for _, dir := range filepath.SplitList(Getenv(t, "PATH")) {
			path, err := exec.LookPath(filepath.Join(dir, name))
			if err == nil {
				run.Path, run.Err = path, nil
				break
			}
		}
	}
	run.Env = environ(t)
	return run
}
