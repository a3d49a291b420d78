package harness

import (
	"os"
	"strings"
	"sync"
	"testing"
)

// environments holds the variables that Setenv has set, as KEY=VALUE, by the name of
// the test.
var (
	environmentsMu sync.Mutex
	environments   = map[string][]string{}
)

// Setenv sets a variable for the commands of a test and of its subtests. It does not change
// the environment of this process, so that tests may run in parallel.
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

// environ returns the environment of the commands of a test. If a variable has several
// values, the last one counts, as in exec.Cmd.
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
