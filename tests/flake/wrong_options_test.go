package flake

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// What is wrong with a VM ends the evaluation where Nix can see it, and else the
// build: in one line that names the VM, the option and what to do.
func TestWrongOptions(t *testing.T) {
	t.Parallel()
	folder := harness.UserFlake(t, "")
	tests := []struct{ name, options, want string }{
		{
			"a console's port twice",
			`consoles = [ { name = "a"; device = "ttyS0"; port = 4500; } { name = "b"; device = "hvc0"; port = 4500; } ];`,
			"microvm-run: own.json: consoles[1].port: 4500 is that of consoles[0] too (give each its own)",
		},
		{
			"a default console's port twice", `ports.serial = 4441;`,
			"microvm-run: own.json: ports.console: 4441 is that of serial too (give each a port of its own)",
		},
		{
			"a port out of range", `ports.console = 70000;`,
			"microvm-run: own.json: ports.console: 70000 is out of range (1 to 65535)",
		},
		{
			"a port that is a text", `ports.console = "4441";`,
			`microvm-run: own.json: ports.console: want a whole number, got the string "4441"`,
		},
		{
			"an unknown field", `memory = 128;`,
			"microvm-run: own.json: memory: unknown field (did you mean memoryMiB?)",
		},
		{
			"an unknown field of the guest", `guest.starts = "true";`,
			"microvm-initrd: own-guest.json: starts: unknown field (did you mean start?)",
		},
		{
			"a name that is none", `name = "My VM";`,
			`microvm-run: microvm.json: name: "My VM" is no machine name (lower-case letters, digits and dashes, at most 40)`,
		},
		{
			"a check of no console", `checks = [ { name = "a"; console = "com1"; expect = "x"; } ];`,
			`microvm-run: own.json: checks[0].console: there is no console "com1" (there is "serial", "console")`,
		},
		{
			"a driver that the kernel lacks", `guest.modules = [ "nosuch" ];`,
			`microvm-initrd: own-guest.json: module "nosuch": not in `,
		},
		{
			"no kernel", `kernel = ./bzImage;`,
			"microvm own: kernel: " + "/nix/store/",
		},
		{
			"no kernel, and what to do", `kernel = ./bzImage;`,
			"/bzImage is not there (or git does not know it: git add it)",
		},
		{
			"a kernel that is a folder", `kernel = ./.;`,
			"is no regular file (name a bzImage in vm.json)",
		},
		{
			"a kernel that a build cannot see", `kernel = "/boot/bzImage";`,
			`microvm own: kernel: "/boot/bzImage" is a string, and no build sees a file of that name (write a path: without quotes)`,
		},
		{
			"a kernel that is nothing", `kernel = null;`,
			"microvm own: kernel: want a package or a path, got a null",
		},
		{
			"an initrd that is not there", `initrd = ./initrd;`,
			"/initrd is not there (or git does not know it: git add it)",
		},
		{
			"a guest that nobody makes", `initrd = null; guest.start = "true";`,
			"microvm own: guest: this VM has its own initrd (leave one of the two out)",
		},
		{
			"another system", `system = "riscv64-linux";`,
			"microvm-console: nothing for riscv64-linux (take overlays.default)",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			harness.WriteFile(t, filepath.Join(folder, "flake.nix"), vmFlake(test.options))
			output, err := harness.Command(t, folder, "nix", "build", "--print-build-logs", "path:.")
			if err == nil || !strings.Contains(output, test.want) {
				t.Errorf("no %q in: %v\n%s", test.want, err, output)
			}
		})
	}
}
