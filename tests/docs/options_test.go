package docs

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestOptionsDocument compares docs/options.md with the descriptions of the modules' options.
func TestOptionsDocument(t *testing.T) {
	t.Parallel()
	made := filepath.Join(t.TempDir(), "options.md") // without the warnings on stderr
	harness.Must(t, harness.Root, "bash", "-c", `nix eval --raw --file tests/flake/modules/options.nix >"$1"`, "bash", made)
	text := strings.TrimRight(harness.ReadFile(t, made), "\n") + "\n"
	harness.Golden(t, filepath.Join(harness.Root, "docs", "options.md"), text)
}
