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
	files, err := filepath.Glob(filepath.Join(harness.Root, ".github/workflows/*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflows (%v)", err)
	}
	harness.Must(t, harness.Root, "go", append([]string{"tool", "-modfile=tests/tools/actionlint/go.mod", "actionlint"}, files...)...)
}

func TestFormat(t *testing.T) {
	t.Parallel()
	if files := harness.Must(t, harness.Root, "gofmt", "-l", "go", "tests"); files != "" {
		t.Errorf("not formatted (run gofmt -w): %s", files)
	}
}
