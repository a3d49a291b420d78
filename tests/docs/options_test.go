package docs

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// docs/options.md says what the modules' options say of themselves.
func TestOptionsDocument(t *testing.T) {
	t.Parallel()
	made := filepath.Join(t.TempDir(), "options.md") // not with the warnings on stderr
	harness.Must(t, harness.Root, "bash", "-c", `nix eval --raw --file tests/flake/modules/options.nix >"$1"`, "bash", made)
	text := strings.TrimRight(harness.ReadFile(t, made), "\n") + "\n"
	harness.Golden(t, filepath.Join(harness.Root, "docs", "options.md"), text)
}
