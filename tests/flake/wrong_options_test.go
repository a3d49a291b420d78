package flake

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// A wrong option ends the evaluation if Nix can see it, and else the build, with one line
// that names the VM, the option and the remedy. What the programs say of each mistake is
// tested in vmconfig and initrd; here is one of each program, and those that only Nix sees.
func TestWrongOptions(t *testing.T) {
	t.Parallel()
	folder := harness.UserFlake(t, "")
	tests := []struct{ name, options, want string }{
		{
			"an unknown field", `memory = 128;`,
			"microvm-run: own.json: memory: unknown field (did you mean memoryMiB?)",
		},
		{
			"an unknown field of the guest", `guest.starts = "true";`,
			"microvm-initrd: own-guest.json: starts: unknown field (did you mean start?)",
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
			"is not a regular file (set kernel to the path of a bzImage)",
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
