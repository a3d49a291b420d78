package guest

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// devicesDocument has what the commands of each section of docs/devices.md print, in their order.
var devicesDocument = map[string][]string{
	"## Disks": {"disk data: made ", "ended: shut down by", "UTC 20", "UTC 20", " 0 failed", "data.raw"},
	"## Network": {
		"forward localhost:8080 -> 80/tcp", "READY", "own-kernel\n", "forward localhost:8080 -> 80/tcp", "-> 22/tcp", "shut down by",
	},
	"## Shared directories": {"from the host\n", "touch: /src/new: Read-only file system", "ended: shut down by"},
}

// TestDevicesDocument runs the commands of each section of docs/devices.md, in the example
// own-kernel with the fields of the section's first JSON block. It is not parallel: TestOwnKernel
// uses the same ports.
func TestDevicesDocument(t *testing.T) {
	for heading, shows := range devicesDocument {
		t.Run(strings.TrimPrefix(heading, "## "), func(t *testing.T) {
			parts := harness.PartsOfDemo(t)
			if strings.Contains(heading, "Shared") {
				parts = harness.PartsWith9P(t)
			}
			folder := ownKernel(t, parts)
			section := "\n" + harness.Section(t, "docs/devices.md", heading)
			vm := filepath.Join(folder, "vm.json")
			changedJSON(t, vm, vm, "{"+harness.Block(t, section, "json")+"}")
			output := harness.RunBlocks(t, folder, harness.BashBlocksOf(section))
			harness.InOrder(t, output, shows...)
		})
	}
}

// ownKernel makes the folder of the example own-kernel in the home of a user, ready to build its
// image, with the kernel and modules of parts. The programs are in PATH.
func ownKernel(t *testing.T, parts harness.Parts) (folder string) {
	t.Helper()
	home := kernelDeveloper(t, parts)
	harness.Setenv(t, "PATH", filepath.Join(harness.Build(t, "tools"), "bin")+":"+harness.Getenv(t, "PATH"))
	harness.Setenv(t, "XDG_STATE_HOME", filepath.Join(home, ".local/state"))
	harness.Must(t, harness.Root, "cp", "-r", "examples/own-kernel", home)
	folder = filepath.Join(home, "own-kernel")
	harness.Must(t, folder, "bash", "-euc", `ln -s ~/linux/arch/x86/boot/bzImage "$(command -v busybox)" "$(command -v microvm-agent)" . &&
		make -C ~/linux modules_install INSTALL_MOD_PATH=$PWD/modules`)
	return folder
}
