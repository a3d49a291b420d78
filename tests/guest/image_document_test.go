package guest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"microvm-console/tests/internal/harness"
)

// imageDocumentShows are texts that the commands of docs/images.md print, in their order.
var imageDocumentShows = []string{
	"no mistakes",
	" 0 failed",          // of the boot sector
	"line 999",           // console-log
	"key x",              // connect-serial
	"7 passed, 0 failed", // the disk
	"7 passed, 0 failed", // qcow2
	"7 passed, 0 failed", // the ISO
	" 0 failed",          // UEFI
	"it has its module",
	" 0 failed", // of the Multiboot kernel
	"module: hello", "key x", "stopped by",
}

// The commands of docs/images.md work: run-test passes for a boot sector, a disk, a qcow2 image, an
// ISO, UEFI and a Multiboot kernel.
func TestImagesDocument(t *testing.T) {
	t.Parallel()
	for tool, debian := range map[string]string{"as": "binutils", "qemu-img": "qemu-utils", "xorriso": "xorriso"} {
		if _, err := exec.LookPath(tool); err != nil {
			harness.Skip(t, tool, "install Debian's "+debian)
		}
	}
	if _, err := os.Stat("/usr/share/OVMF/OVMF_CODE_4M.fd"); err != nil {
		harness.Skip(t, "OVMF", "install Debian's ovmf")
	}
	harness.OwnFolders(t)
	home := t.TempDir()
	harness.Setenv(t, "HOME", home)
	harness.Setenv(t, "PATH", filepath.Join(harness.Build(t, "tools"), "bin")+":"+harness.Getenv(t, "PATH"))
	t.Cleanup(func() { // if a block fails before microvm-shutdown
		_, _ = harness.Command(t, home, "microvm-shutdown", "--all", "--force")
	})
	output := harness.RunBlocks(t, harness.Root, harness.BashBlocks(t, "docs/images.md"))
	harness.InOrder(t, output, imageDocumentShows...)
}
