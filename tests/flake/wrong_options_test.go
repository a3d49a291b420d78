package flake

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestWrongOptions checks that a wrong option fails the evaluation if Nix can see it, and else
// the build, with one line that names the VM, the option and the remedy. The messages of the
// programs are tested in vmconfig and initrd; here is one of each program, and those of Nix.
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
			"no kernel, and the remedy", `kernel = ./bzImage;`,
			"/bzImage: no such file (a new file needs git add)",
		},
		{
			"a kernel that is a folder", `kernel = ./.;`,
			"is not a regular file (set kernel to the path of a bzImage)",
		},
		{
			"a kernel that a build cannot see", `kernel = "/boot/bzImage";`,
			`microvm own: kernel: "/boot/bzImage" is a string, and builds cannot see the file (write a path: without quotes)`,
		},
		{
			"a kernel that is null", `kernel = null;`,
			"microvm own: kernel: want a package or a path, got a null",
		},
		{
			"an initrd that does not exist", `initrd = ./initrd;`,
			"/initrd: no such file (a new file needs git add)",
		},
		{
			"a guest and an initrd", `initrd = null; guest.start = "true";`,
			"microvm own: guest: initrd is set too (remove one of the two)",
		},
		{
			"another system", `system = "riscv64-linux";`,
			"microvm-console: system riscv64-linux is not supported (use overlays.default)",
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
