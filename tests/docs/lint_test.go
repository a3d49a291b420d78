package docs

import (
	"flag"
	"path/filepath"
	"testing"

	"microvm-console/tests/internal/harness"
)

// Building the linters takes minutes where that has not been done before. With -run, they
// run without --all too.
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

// The workflows that no machine of ours can run are checked for what can be known
// without running them: keys, expressions, and shell scripts by shellcheck.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	harness.Must(t, filepath.Join(harness.Root, "tests"), "bash", "-c", "go tool -modfile=tools/actionlint/go.mod actionlint ../.github/workflows/*.yml")
}

func TestFormat(t *testing.T) {
	t.Parallel()
	if files := harness.Must(t, harness.Root, "gofmt", "-l", "go", "tests"); files != "" {
		t.Errorf("not formatted (run gofmt -w): %s", files)
	}
}
