package flake

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// typeCommands runs commands in a folder and returns their output. Processes that they start
// in the background must end by themselves.
func typeCommands(t *testing.T, folder, commands string) string {
	t.Helper()
	t.Cleanup(func() { // if a command fails before microvm-shutdown
		_, _ = harness.Command(t, folder, "./result/bin/microvm-shutdown", "--force")
	})
	return harness.Must(t, folder, "bash", "-euo", "pipefail", "-c", commands+"\nwait\n")
}

// storeHash matches the parts of a text that depend on the package set.
var storeHash = regexp.MustCompile(`/nix/store/[^"]*/`)

// TestTemplate makes a VM from the template, as its README describes. The VM's own check is
// among those of run-test.
func TestTemplate(t *testing.T) {
	t.Parallel()
	here, err := filepath.Abs(harness.Root)
	if err != nil {
		t.Fatal(err)
	}
	folder := harness.UserFolder(t)
	typeCommands(t, folder, "nix flake init --template git+file://"+here)
	readme := harness.ReadFile(t, filepath.Join(folder, "README.md"))
	output := typeCommands(t, folder, harness.Block(t, readme, "sh"))
	for _, want := range []string{"the service is up", " 0 failed"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
	made := harness.ReadFile(t, filepath.Join(folder, "result", "share", "microvm", "vm.json"))
	harness.GoldenJSON(t, filepath.Join("testdata", "vm", "my-vm.json"), storeHash.ReplaceAllString(made, "/nix/store/…/"))
}

// TestSeparateImage gives a VM an image that was built separately. The start command of the
// guest prints to /dev/console, where init also reports the command's failure.
func TestSeparateImage(t *testing.T) {
	t.Parallel()
	folder := harness.UserFlake(t, vmFlake(`initrd = microvm-console.lib.mkGuestInitrd {
		system = "x86_64-linux"; hostname = "separate"; start = "echo start of $USER in $PWD; ls /nosuch; exit 7";
	};`))
	typeCommands(t, folder, "nix build path:.")
	vm := harness.Start(t, filepath.Join(folder, "result", "bin", "microvm-run"), "--auto-ports")
	vm.Expect(`hvc0 +tcp`, 1)
	console := harness.Start(t, filepath.Join(folder, "result", "bin", "connect-console"))
	console.Expect(`start: ended with status 7`, 1)
	console.Expect(`start of .* in /root\b`, 1)
	console.Expect(`ls: .*/nosuch: `, 1)
	console.Expect(`separate login: `, 1)
	harness.Login(console)
	harness.Must(t, folder, "./result/bin/microvm-shutdown")
	if status := vm.Status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
}

// TestNoImage builds a VM without an image.
func TestNoImage(t *testing.T) {
	t.Parallel()
	folder := harness.UserFlake(t, vmFlake(`initrd = null;`))
	typeCommands(t, folder, `nix build path:.; test "$(grep -c initrd result/share/microvm/vm.json)" = 0`)
}

// TestVMOfAnotherHost builds a VM whose disk and shared directory this host does not have.
func TestVMOfAnotherHost(t *testing.T) {
	t.Parallel()
	folder := harness.UserFlake(t, vmFlake(`initrd = null; disks = [ { name = "data"; path = "/nonexistent/disk"; } ];
		shares = [ { source = "/nonexistent"; target = "/share"; driver = "9p"; } ];`))
	typeCommands(t, folder, "nix build path:.")
	output, err := harness.Command(t, folder, "./result/bin/microvm-run", "--check")
	if err == nil || !strings.Contains(output, "disks[0].path: ") || !strings.Contains(output, "shares[0].source: ") {
		t.Errorf("%v: %s", err, output)
	}
}

// vmFlake returns the flake of a VM called own with further options.
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
