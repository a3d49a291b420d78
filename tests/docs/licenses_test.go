package docs

import (
	"path/filepath"
	"testing"

	"microvm-console/tests/internal/harness"
)

// The package has the licence of each module that is linked into one of its
// programs.
func TestLicensesOfWhatIsLinked(t *testing.T) {
	t.Parallel()
	tools := harness.Build(t, "tools")
	harness.CheckLicenses(t, filepath.Join(tools, "bin"), filepath.Join(tools, "share/doc/microvm-console/licenses"))
}
