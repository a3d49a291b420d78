package flake

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestFlakeChecks builds the checks of `nix flake check`, each in a subtest of its name. A
// check without its tool prints "skipped: TOOL: …".
func TestFlakeChecks(t *testing.T) {
	t.Parallel()
	var names []string
	text := harness.Nix(t, "eval", "--json", ".#checks."+harness.System, "--apply", "builtins.attrNames")
	if err := json.Unmarshal([]byte(text[strings.LastIndex(text, "["):]), &names); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			out := harness.Build(t, "checks."+harness.System+"."+name)
			text, err := os.ReadFile(out)
			if err != nil {
				return // a check whose output is a folder
			}
			for line := range strings.Lines(string(text)) {
				if rest, ok := strings.CutPrefix(line, "skipped: "); ok {
					tool, why, _ := strings.Cut(strings.TrimSpace(rest), ": ")
					t.Run(tool, func(t *testing.T) { harness.Skip(t, tool, why) })
				}
			}
		})
	}
}

// TestFlakeCheck runs the command itself, as a user's CI does.
func TestFlakeCheck(t *testing.T) {
	t.Parallel()
	harness.Nix(t, "flake check")
}

// TestVendorHash checks the hashes of the modules that the go.mod files require now, whatever
// the store holds from earlier builds. scripts/update-vendor-hash repairs a wrong hash.
func TestVendorHash(t *testing.T) {
	t.Parallel()
	harness.Must(t, harness.Root, "scripts/update-vendor-hash", "--check")
	copied := t.TempDir()
	harness.Must(t, harness.Root, "cp", "-r", "--parents", "go", "nix/vendor-hash.nix", "scripts", "tests/hostpkgs/treefmt", copied)
	harness.Setenv(t, "GOFLAGS", "")
	harness.Setenv(t, "GOWORK", "off")
	harness.Must(t, filepath.Join(copied, "go"), "go", "mod", "tidy", "-diff")

	path := filepath.Join(copied, "nix", "vendor-hash.nix")
	want := harness.ReadFile(t, path)
	harness.WriteFile(t, path, regexp.MustCompile(`"sha256-.*"`).ReplaceAllString(want, `"sha256-wrong"`))
	output, err := harness.Command(t, copied, "scripts/update-vendor-hash", "--check")
	if err == nil || !strings.Contains(output, "nix/vendor-hash.nix: out of date") {
		t.Errorf("a wrong hash: %v\n%s", err, output)
	}
	harness.Must(t, copied, "scripts/update-vendor-hash")
	if got := harness.ReadFile(t, path); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
