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
	golden := filepath.Join(harness.Root, "docs", "options.md")
	made := harness.Must(t, harness.Root, "nix", "eval", "--offline", "--raw", "--file", "tests/flake/modules/options.nix")
	made = strings.TrimRight(made, "\n") + "\n"
	harness.Golden(t, golden, made)
}
