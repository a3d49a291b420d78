package flake

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestMachineOfTheNixOSTest evaluates the machine of nix/checks/nixos.nix, as far as that works
// without nixpkgs: it has the programs, and the user's session starts each relay.
func TestMachineOfTheNixOSTest(t *testing.T) {
	t.Parallel()
	apply := fmt.Sprintf("tools: import ./tests/flake/modules/nixos-test.nix { inherit tools; nixpkgsLib = %s; }",
		reference(t, "NIXPKGS_LIB", "nix-community/nixpkgs.lib"))
	made := lastLine(harness.Nix(t, "eval", "--json", "--impure", ".#packages."+harness.System+".tools", "--apply", apply))
	var machine struct {
		Packages   []string
		Services   map[string]struct{ WantedBy []string }
		TestScript string
	}
	if err := json.Unmarshal([]byte(made), &machine); err != nil {
		t.Fatalf("%v: %s", err, made)
	}
	if len(machine.Services) != 3 || machine.Services["qemu-serial-relay"].WantedBy[0] != "default.target" {
		t.Errorf("services: %v", machine.Services)
	}
	if text := strings.Join(machine.Packages, " "); !strings.Contains(text, "microvm-console") || !strings.Contains(text, "qemu") {
		t.Errorf("packages: %s", text)
	}
	if !strings.Contains(machine.TestScript, "-session.sh /nix/store/") {
		t.Errorf("script: %s", machine.TestScript)
	}
}

// TestOverlay checks that the overlay of a package set has the outputs of the flake for it.
func TestOverlay(t *testing.T) {
	t.Parallel()
	here, err := filepath.Abs(harness.Root)
	if err != nil {
		t.Fatal(err)
	}
	const apply = `overlay: let
		host = (builtins.getFlake "path:HERE/tests/hostpkgs").legacyPackages.SYSTEM;
		final = host // overlay final host;
	in "${toString (builtins.attrNames final.microvm-console)} ${final.microvm-console.console-demo.drvPath}"`
	eval := []string{"eval", "--raw", "--impure", "--override-input", "nixpkgs", "path:./tests/hostpkgs", "--no-write-lock-file"}
	demo := lastLine(harness.Must(t, harness.Root, "nix", append(eval, ".#console-demo.drvPath")...))
	got := lastLine(harness.Must(t, harness.Root, "nix", append(eval, ".#overlays.default", "--apply",
		strings.NewReplacer("HERE", here, "SYSTEM", harness.System).Replace(apply))...))
	names, path, _ := strings.Cut(got, " /nix/store/")
	if "/nix/store/"+path != demo || !strings.Contains(names, "mkGuestInitrd mkMicrovm tools") {
		t.Errorf("want %s, got %s", demo, got)
	}
}

// lastLine returns the last line of a text, which may lack the newline.
func lastLine(text string) string {
	return text[strings.LastIndex(strings.TrimRight(text, "\n"), "\n")+1:]
}
