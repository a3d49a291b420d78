package harness

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Golden compares a text with a golden file. With -update, it writes the file first.
func Golden(t *testing.T, path, text string) {
	t.Helper()
	if *Update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text != ReadFile(t, path) {
		test, _, _ := strings.Cut(t.Name(), "/")
		t.Errorf("%s differs (scripts/test -run '^%s$' -update rewrites it), got:\n%s", path, test, text)
	}
}

// GoldenJSON is Golden for a JSON text, which it indents.
func GoldenJSON(t *testing.T, path, text string) {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	indented, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	Golden(t, path, string(indented)+"\n")
}
