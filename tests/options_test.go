package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs/options.md says what the modules' options say of themselves.
func TestOptionsDocument(t *testing.T) {
	t.Parallel()
	golden := filepath.Join(root, "docs", "options.md")
	made := must(t, root, "nix", "eval", "--raw", "--file", "tests/modules/options.nix")
	made = strings.TrimRight(made, "\n") + "\n"
	if *update {
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
