package flake

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestNixOSDocument builds the VM of docs/nixos.md, and runs its vm.json with another guest in
// place of NixOS: see nixos/flake.nix. Its system is in the store of the guest, its data disk and
// its share are mounted, and its forwarded port is served.
func TestNixOSDocument(t *testing.T) {
	t.Parallel()
	t.Run("disk", func(t *testing.T) { runNixOSVM(t, "", " /nix/store erofs ro") })
	t.Run("share", func(t *testing.T) { runNixOSVM(t, `nixosStore = "share";`, " /nix/store 9p ro") })
}

// runNixOSVM runs the VM with further options. want is what the guest's /proc/mounts has about
// its store.
func runNixOSVM(t *testing.T, options, want string) {
	t.Helper()
	www := t.TempDir()
	harness.WriteFile(t, filepath.Join(www, "index.html"), "from the share\n")
	port := fmt.Sprint(harness.FreePort(t))
	document := harness.ReadFile(t, filepath.Join(harness.Root, "docs/nixos.md"))
	folder := harness.UserFlake(t, strings.NewReplacer(
		"sizeMiB = 4096", "sizeMiB = 16", "host = 8080", "host = "+port, `source = "/srv/www"`, `source = "`+www+`"`,
		`programs = "named";`, `programs = "named"; `+options,
	).Replace(harness.Block(t, document, "nix")))
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
	output := typeCommands(t, folder, strings.ReplaceAll(
		"curl -sS --retry 100 --retry-delay 2 --retry-all-errors http://localhost:PORT/system/ http://localhost:PORT/share/; ./result/bin/web exec -- cat /proc/mounts", "PORT", port))
	for _, want := range []string{"from the system\n", "from the share\n", want, " /var/lib/postgresql ext4 rw", " /srv/www 9p ro"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
	typeCommands(t, folder, "./result/bin/web shutdown")
	if output := typeCommands(t, folder, "./result/bin/web test --lines 1000 --timeout 5m"); !strings.Contains(output, " 0 failed") {
		t.Error(output)
	}
}
