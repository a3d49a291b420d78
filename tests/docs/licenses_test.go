package docs

import (
	"path/filepath"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestLicensesOfLinkedModules checks that the package contains the license of each module
// that is linked into one of its programs.
func TestLicensesOfLinkedModules(t *testing.T) {
	t.Parallel()
	tools := harness.Build(t, "tools")
	harness.CheckLicenses(t, filepath.Join(tools, "bin"), filepath.Join(tools, "share/doc/microvm-console/licenses"))
}
