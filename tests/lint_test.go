package tests

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLint(t *testing.T) {
	t.Parallel()
	linter := filepath.Join(os.Getenv("TOOLS"), "golangci-lint")
	for _, module := range []string{"go", "tests"} {
		t.Run(module, func(t *testing.T) {
			must(t, filepath.Join(root, module), linter, "run", "--config", "../go/.golangci.yml", "./...")
		})
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	if files := must(t, root, "gofmt", "-l", "go", "tests"); files != "" {
		t.Errorf("not formatted (run gofmt -w): %s", files)
	}
}
