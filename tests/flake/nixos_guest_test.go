package flake

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// evaluateGuest returns what mkMicrovm makes of a NixOS system, as JSON: see
// modules/nixos-guest.nix. arguments are those of that file, besides mkMicrovm.
func evaluateGuest(t *testing.T, arguments string) (string, error) {
	t.Helper()
	args := append([]string{"eval", "--json", "--impure"}, strings.Fields(os.Getenv("NIX_FLAGS"))...)
	run := harness.NewCommandContext(t.Context(), t, "nix", append(args, ".#lib.mkMicrovm", "--apply",
		fmt.Sprintf("mkMicrovm: import ./tests/flake/modules/nixos-guest.nix { inherit mkMicrovm; %s }", arguments))...)
	run.Dir = harness.Root
	var stderr strings.Builder
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, stderr.String())
	}
	return regexp.MustCompile(`/nix/store/[a-z0-9]{32}-`).ReplaceAllString(string(out), "/nix/store/"), nil
}

// webMachine has a field of each kind that matters to a NixOS guest.
const webMachine = `
	memoryMiB = 2048;
	kernelParams = [ "quiet" ];
	consoles = [
		{ name = "log"; device = "ttyS0"; port = 4470; login = false; }
		{ name = "console"; device = "hvc0"; port = 4471; }
	];
	disks = [
		{ name = "data"; sizeMiB = 512; fs = "ext4"; target = "/var/lib/data"; }
		{ name = "seed"; path = "/srv/seed.img"; serial = "SEED-1"; readOnly = true; fs = "ext4"; target = "/seed"; }
		{ name = "root"; sizeMiB = 4096; fs = "ext4"; }
	];
	shares = [
		{ source = "/srv/www"; target = "/srv/www"; }
		{ source = "/srv/work"; target = "/srv/work"; readOnly = false; driver = "virtiofs"; }
	];
	network = { type = "user"; forward = [ { host = 8080; guest = 80; } ]; };
`

// TestVMOfANixOSGuest compares the vm.json of NixOS guests with golden files.
func TestVMOfANixOSGuest(t *testing.T) {
	t.Parallel()
	for name, machine := range map[string]string{
		"nixos": "", "nixos-web": webMachine, "nixos-share": webMachine + `nixosStore = "share";`,
	} {
		t.Run(name, func(t *testing.T) {
			made, err := evaluateGuest(t, "machine = { "+machine+" };")
			if err != nil {
				t.Fatal(err)
			}
			harness.GoldenJSON(t, filepath.Join("testdata", "vm", name+".json"), made)
		})
	}
}

// TestNixOSGuest compares what the guest module sets in NixOS with golden files.
func TestNixOSGuest(t *testing.T) {
	t.Parallel()
	lib := reference(t, "NIXPKGS_LIB", "nix-community/nixpkgs.lib")
	for name, arguments := range map[string]string{
		"plain": "machine = { };",
		"web":   "machine = { " + webMachine + " };",
		"share": "machine = { nixosStore = \"share\"; };",
		"root-disk": `machine = { }; configuration = {
			fileSystems."/" = { device = "/dev/disk/by-id/virtio-root-part1"; fsType = "ext4"; };
			networking.hostName = "own"; users.users.root.hashedPassword = "!"; nix.enable = true;
		};`,
		"root-label": `machine = { }; configuration.fileSystems."/" = { label = "nixos"; fsType = "ext4"; };`,
	} {
		t.Run(name, func(t *testing.T) {
			made, err := evaluateGuest(t, "nixpkgsLib = "+lib+"; "+arguments)
			if err != nil {
				t.Fatal(err)
			}
			harness.GoldenJSON(t, filepath.Join("testdata", "modules", "nixos-guest-"+name+".json"), made)
		})
	}
}

// TestMistakesInNixOSGuests checks that Nix reports the mistakes that only it can see.
func TestMistakesInNixOSGuests(t *testing.T) {
	t.Parallel()
	for machine, want := range map[string]string{
		`kernel = ./bzImage;`:    "microvm web: kernel: nixos has its own (remove one of the two)",
		`guest.start = "true";`:  "microvm web: guest: nixos has its own (remove one of the two)",
		`nixosStore = "disc";`:   `microvm web: nixosStore: "disc" is unknown (known: disk, share)`,
		`nixos = { };`:           "microvm web: nixos: want the result of nixosSystem",
		`programs = "separate";`: `microvm web: programs: "separate" is unknown (known: all, named)`,
	} {
		if made, err := evaluateGuest(t, "machine = { "+machine+" };"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: no %q in %v %s", machine, want, err, made)
		}
	}
}
