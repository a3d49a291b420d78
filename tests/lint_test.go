package tests

import (
	"path/filepath"
	"testing"
)

func TestLint(t *testing.T) {
	t.Parallel()
	for _, module := range []string{"go", "tests"} {
		t.Run(module, func(t *testing.T) {
			must(t, filepath.Join(root, module), "go", "tool", "-modfile=../tests/tools/go.mod", "golangci-lint", "run", "--config", "../go/.golangci.yml", "./...")
		})
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	if files := must(t, root, "gofmt", "-l", "go", "tests"); files != "" {
		t.Errorf("not formatted (run gofmt -w): %s", files)
	}
}
