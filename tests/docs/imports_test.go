package docs

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestImports compares the imports between our packages with the golden list, because a new
// import is a decision.
func TestImports(t *testing.T) {
	t.Parallel()
	const format = `{{.ImportPath}}:{{range .Imports}} {{.}}{{end}}`
	golden := filepath.Join("testdata", "imports.golden")
	var found strings.Builder
	for line := range strings.Lines(harness.Must(t, filepath.Join(harness.Root, "go"), "go", "list", "-f", format, "./...")) {
		words := strings.Fields(line)
		found.WriteString(strings.TrimPrefix(words[0], "microvm-console/"))
		for _, word := range words[1:] {
			if name, ours := strings.CutPrefix(word, "microvm-console/internal/"); ours {
				found.WriteString(" " + name)
			}
		}
		found.WriteByte('\n')
	}
	harness.Golden(t, golden, found.String())
}
