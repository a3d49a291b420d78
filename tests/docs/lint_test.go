package docs

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestLint runs the linters of go/.golangci.yml. Building them takes minutes the first time,
// so that without --all they run only if -run selects the test.
func TestLint(t *testing.T) {
	t.Parallel()
	if flag.Lookup("test.run").Value.String() == "" {
		harness.OnlyAll(t)
	}
	for _, module := range []string{"go", "tests"} {
		t.Run(module, func(t *testing.T) {
			harness.Must(t, filepath.Join(harness.Root, module), "go", "tool", "-modfile=../tests/tools/go.mod", "golangci-lint", "run", "--config", "../go/.golangci.yml", "./...")
		})
	}
}

// TestWorkflows checks what can be checked of the workflows without running them: keys,
// expressions, and the shell scripts in them.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	harness.Must(t, filepath.Join(harness.Root, "tests"), "bash", "-c", "go tool -modfile=tools/actionlint/go.mod actionlint ../.github/workflows/*.yml")
}

// copyFiles copies the files that git does not ignore to the folder $1.
const copyFiles = `git ls-files -z --cached --others --exclude-standard |
	while IFS= read -rd '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
	xargs -0 cp --parents --target-directory "$1"`

// TestFormat runs `nix fmt` on a copy of the checkout: no file changes, and a file that
// would change is an error.
func TestFormat(t *testing.T) {
	t.Parallel()
	copied := t.TempDir()
	treefmt := filepath.Join(harness.Build(t, "formatter."+harness.System), "bin", "treefmt")
	harness.Must(t, harness.Root, "bash", "-euo", "pipefail", "-c", copyFiles, "bash", copied)
	output := harness.Must(t, copied, treefmt, "--ci")
	for name, text := range map[string]string{"go/bad.go": "package bad\nfunc  f(){}\n", "scripts/bad": "if :\nthen :\nfi\n"} {
		path := filepath.Join(copied, name)
		harness.WriteFile(t, path, text)
		if output, err := harness.Command(t, copied, treefmt, "--ci"); err == nil {
			t.Errorf("%s is not reported:\n%s", name, output)
		}
		if formatted := harness.ReadFile(t, path); formatted == text {
			t.Errorf("%s is not formatted", name)
		}
	}
	for line := range strings.Lines(output) {
		if rest, ok := strings.CutPrefix(line, "skipped: "); ok {
			tool, why, _ := strings.Cut(strings.TrimSpace(rest), ": ")
			t.Run(tool, func(t *testing.T) { harness.Skip(t, tool, why) })
		}
	}
}
