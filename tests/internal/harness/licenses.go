package harness

import (
	"path/filepath"
	"strings"
	"testing"
)

// CheckLicenses fails the test unless licenses, a folder, has the license of each module
// that is linked into a program of bin.
func CheckLicenses(t *testing.T, bin, licenses string) {
	t.Helper()
	modules := map[string]bool{}
	for line := range strings.Lines(Must(t, Root, "go", "version", "-m", bin)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "dep" {
			modules[fields[1]] = true
		}
	}
	if len(modules) < 5 {
		t.Fatalf("only %d modules are linked in", len(modules))
	}
	for module := range modules {
		found, err := filepath.Glob(filepath.Join(licenses, module, "LICENSE*"))
		if err != nil || len(found) == 0 {
			t.Errorf("no license of %s (%v)", module, err)
		}
	}
}
