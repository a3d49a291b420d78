package flake

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// The checks of `nix flake check`, each in a subtest of its name. A check that lacks a tool
// prints "skipped: TOOL: …".
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

// The command itself, as a user's CI runs it.
func TestFlakeCheck(t *testing.T) {
	t.Parallel()
	harness.Nix(t, "flake check")
}

// vendorHash is that of the modules which go.mod asks for now, whatever the
// store holds from before.
func TestVendorHash(t *testing.T) {
	t.Parallel()
	copied := filepath.Join(t.TempDir(), "source")
	harness.Must(t, harness.Root, "cp", "-r", "go", copied)
	harness.Setenv(t, "GOFLAGS", "")
	harness.Setenv(t, "GOWORK", "off")
	harness.Must(t, copied, "go", "mod", "tidy", "-diff")
	harness.Must(t, copied, "go", "mod", "vendor")
	got := strings.TrimSpace(lastLine(harness.Must(t, copied, "nix", "hash", "path", "vendor")))
	want := harness.ReadFile(t, filepath.Join(harness.Root, "nix", "vendor-hash.nix"))
	if !strings.Contains(want, `"`+got+`"`) {
		t.Errorf("the modules have hash %s (write it into nix/vendor-hash.nix, which says %s)", got, want)
	}
}
