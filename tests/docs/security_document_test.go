package docs

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestSecurityDocument checks that each promise of docs/security.md names tests that exist.
func TestSecurityDocument(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile("(?:([a-z]+) )?`((?:Test|Fuzz)[A-Za-z0-9]+)`")
	for _, r := range harness.TableRows(t, "docs/security.md", "against") {
		promised := 0
		for part := range strings.SplitSeq(r[2], ";") {
			folder := filepath.Join("tests", "*") // unless a package precedes the name
			for _, match := range named.FindAllStringSubmatch(part, -1) {
				if match[1] != "" {
					folder = filepath.Join("go", "internal", match[1])
				}
				promised++
				if !defines(t, folder, match[2]) {
					t.Errorf("%s: no test %s in %s", r[1], match[2], folder)
				}
			}
		}
		if promised == 0 {
			t.Errorf("%s: no test is named", r[1])
		}
	}
}

// defines reports whether a Go test has the name. folder is a pattern of filepath.Glob.
func defines(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(harness.Root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.Contains(harness.ReadFile(t, file), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
