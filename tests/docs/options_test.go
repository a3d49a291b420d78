package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// docs/options.md says what the modules' options say of themselves.
func TestOptionsDocument(t *testing.T) {
	t.Parallel()
	golden := filepath.Join(harness.Root, "docs", "options.md")
	made := harness.Must(t, harness.Root, "nix", "eval", "--raw", "--file", "tests/modules/options.nix")
	made = strings.TrimRight(made, "\n") + "\n"
	if *harness.Update {
		if err := os.WriteFile(golden, []byte(made), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if made != string(want) {
		t.Errorf("%s is not what the modules say (scripts/test -run TestOptionsDocument -update rewrites it):\n%s", golden, made)
	}
}
