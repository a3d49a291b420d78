package flake

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// typeCommands types commands in a folder, and returns what they print. What they start in
// the background has to end by itself.
func typeCommands(t *testing.T, folder, commands string) string {
	t.Helper()
	t.Cleanup(func() { // where one fails half way
		_, _ = harness.Command(t, folder, "./result/bin/microvm-shutdown", "--force")
	})
	return harness.Must(t, folder, "bash", "-euo", "pipefail", "-c", commands+"\nwait\n")
}

// storeHash is what differs from one package set to the next.
var storeHash = regexp.MustCompile(`/nix/store/[^"]*/`)

// The flake that README shows makes a VM, as its commands say; its own check is
// among those of run-test.
func TestStrangersFlake(t *testing.T) {
	t.Parallel()
	readme := harness.Section(t, "README.md", "## Your own VM")
	folder := harness.UserFlake(t, harness.Block(t, readme, "nix"))
	output := typeCommands(t, folder, harness.Block(t, readme, "sh"))
	for _, want := range []string{"it is up", " 0 failed"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
	made := harness.ReadFile(t, filepath.Join(folder, "result", "share", "microvm", "vm.json"))
	harness.GoldenJSON(t, filepath.Join("testdata", "vm", "my-vm.json"), storeHash.ReplaceAllString(made, "/nix/store/…/"))
}

// A VM takes an image that was made apart from it. The command that a guest starts with
// prints on its /dev/console, and so does init of its failure.
func TestImageMadeApart(t *testing.T) {
	t.Parallel()
	folder := harness.UserFlake(t, vmFlake(`initrd = microvm-console.lib.mkGuestInitrd {
		system = "x86_64-linux"; hostname = "apart"; start = "echo start of $USER in $PWD; ls /nosuch; exit 7";
	};`))
	typeCommands(t, folder, "nix build path:.")
	vm := harness.Start(t, filepath.Join(folder, "result", "bin", "microvm-run"), "--auto-ports")
	vm.Expect(`hvc0 +tcp`, 1)
	console := harness.Start(t, filepath.Join(folder, "result", "bin", "connect-console"))
	console.Expect(`start: ended with status 7`, 1)
	console.Expect(`start of .* in /root\b`, 1)
	console.Expect(`ls: .*/nosuch: `, 1)
	console.Expect(`apart login: `, 1)
	harness.Login(console)
	harness.Must(t, folder, "./result/bin/microvm-shutdown")
	if status := vm.Status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
}

// A VM may do without an image.
func TestNoImage(t *testing.T) {
	t.Parallel()
	folder := harness.UserFlake(t, vmFlake(`initrd = null;`))
	typeCommands(t, folder, `nix build path:.; test "$(grep -c initrd result/share/microvm/vm.json)" = 0`)
}

// vmFlake is the flake of a VM called own with more options.
func vmFlake(options string) string {
	return fmt.Sprintf(`{
  inputs.microvm-console.url = "none";
  outputs = { microvm-console, ... }: {
    packages.x86_64-linux.default = microvm-console.lib.mkMicrovm ({
      system = "x86_64-linux"; name = "own";
    } // { %s });
  };
}
`, options)
}
