package docs

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestLicensesOfLinkedModules checks that the package contains the licence of each module
// that is linked into one of its programs.
func TestLicensesOfLinkedModules(t *testing.T) {
	t.Parallel()
	tools := harness.Build(t, "tools")
	modules := map[string]bool{}
	for line := range strings.Lines(harness.Must(t, harness.Root, "go", "version", "-m", filepath.Join(tools, "bin"))) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "dep" {
			modules[fields[1]] = true
		}
	}
	if len(modules) < 5 {
		t.Fatalf("only %d modules are linked in", len(modules))
	}
	for module := range modules {
		found, err := filepath.Glob(filepath.Join(tools, "share/doc/microvm-console/licenses", module, "LICENSE*"))
		if err != nil || len(found) == 0 {
			t.Errorf("no licence of %s (%v)", module, err)
		}
	}
}
