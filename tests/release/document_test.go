package release

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestWithoutNixDocument runs the commands of docs/without-nix.md in a home of their own. The
// block that needs a Debian with a kernel in /boot has the commands of scripts/try-install.
func TestWithoutNixDocument(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"GOPATH", "GOCACHE"} {
		harness.Setenv(t, name, strings.TrimSpace(harness.Must(t, harness.Root, "go", "env", name)))
	}
	harness.Setenv(t, "HOME", t.TempDir())
	for _, block := range harness.BashBlocks(t, "docs/without-nix.md") {
		t.Logf("%s%s", block, harness.Must(t, harness.Root, "bash", "-euo", "pipefail", "-c", block))
	}

	tried := harness.ReadFile(t, filepath.Join(harness.Root, "scripts/try-install"))
	for line := range strings.Lines(harness.Block(t, harness.Section(t, "docs/without-nix.md", "## A first VM"), "sh")) {
		line = strings.TrimSpace(line)
		if inHome := strings.HasPrefix(line, "cp ") || strings.HasPrefix(line, "cd "); !inHome && !strings.Contains(tried, line) {
			t.Errorf("scripts/try-install does not run %q", line)
		}
	}
}

// TestVersionInDocuments fails if a document names a release of another version.
func TestVersionInDocuments(t *testing.T) {
	t.Parallel()
	version := strings.TrimSpace(harness.ReadFile(t, filepath.Join(harness.Root, "VERSION")))
	for _, document := range []string{"README.md", "docs/in-ci.md", "docs/without-nix.md"} {
		text := harness.ReadFile(t, filepath.Join(harness.Root, document))
		if want := "microvm-console-" + version + "-linux-amd64.tar.gz"; !strings.Contains(text, want) {
			t.Errorf("%s does not name %s", document, want)
		}
	}
	for _, want := range []string{"uses: OWNER/microvm-console@v" + version + "\n", " --branch v" + version + " "} {
		if text := harness.ReadFile(t, filepath.Join(harness.Root, "docs/in-ci.md")); !strings.Contains(text, want) {
			t.Errorf("docs/in-ci.md does not have %q", want)
		}
	}
	if changes := harness.ReadFile(t, filepath.Join(harness.Root, "CHANGELOG.md")); !strings.Contains(changes, "\n## ["+version+"] - ") {
		t.Errorf("CHANGELOG.md has no section for %s", version)
	}
}
