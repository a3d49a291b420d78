package flake

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestNixOSDocument builds the VM of docs/nixos.md, without its share, and runs its vm.json with
// another guest in place of NixOS: see nixos/flake.nix. Its system is on the store disk, its
// data disk is mounted, and its forwarded port is served.
func TestNixOSDocument(t *testing.T) {
	t.Parallel()
	document := harness.ReadFile(t, filepath.Join(harness.Root, "docs/nixos.md"))
	port := fmt.Sprint(harness.FreePort(t))
	flake := strings.NewReplacer("sizeMiB = 4096", "sizeMiB = 16", "host = 8080", "host = "+port).Replace(harness.Block(t, document, "nix"))
	share := `      shares = [ { source = "/srv/www"; target = "/srv/www"; } ];` + "\n"
	if !strings.Contains(flake, share) {
		t.Fatal("the flake of docs/nixos.md has another share")
	}
	folder := harness.UserFlake(t, strings.Replace(flake, share, "", 1))
	here, err := filepath.Abs(harness.Root)
	if err != nil {
		t.Fatal(err)
	}
	typeCommands(t, folder, strings.ReplaceAll(`nix build path:.#web --override-input nixpkgs path:HERE/tests/flake/nixos \
		--override-input nixpkgs/hostpkgs path:HERE/tests/hostpkgs \
		--override-input nixpkgs/microvm-console git+file://HERE \
		--override-input nixpkgs/microvm-console/nixpkgs path:HERE/tests/hostpkgs`, "HERE", here))
	t.Cleanup(func() { _, _ = harness.Command(t, folder, "./result/bin/web", "shutdown", "--force") })

	typeCommands(t, folder, "./result/bin/web run --detach --auto-ports")
	output := typeCommands(t, folder, "curl -sS http://localhost:"+port+"; ./result/bin/web exec -- cat /proc/mounts")
	for _, want := range []string{"from the store disk\n", " /nix/store erofs ro", " /var/lib/postgresql ext4 rw"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
	typeCommands(t, folder, "./result/bin/web shutdown")
	if output := typeCommands(t, folder, "./result/bin/web test --lines 1000"); !strings.Contains(output, " 0 failed") {
		t.Error(output)
	}
}
