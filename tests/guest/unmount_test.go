package guest

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// busyDisk is the start script of the guest. It makes a file system on the disk, mounts it, and
// starts a program that ignores SIGTERM and has a file there open for writing.
const busyDisk = `until [ -b /dev/vda ]; do sleep 0.1; done
mkdir /disk && mke2fs /dev/vda >/dev/null && mount -t ext4 /dev/vda /disk || exit
(trap "" TERM; exec sleep 100000) >/disk/file &
until [ -e /disk/file ]; do sleep 0.1; done
sync
echo "the disk is $((6*7))"
`

// imageWithDisk builds the image of a guest with an agent and the drivers of a disk.
func imageWithDisk(t *testing.T) string {
	t.Helper()
	tools := harness.Build(t, "tools")
	parts := harness.PartsOfDemo(t)
	dir := t.TempDir()
	fields, err := json.Marshal(map[string]any{
		"busybox": parts.Busybox, "agent": tools + "/libexec/microvm-agent", "start": busyDisk,
		"modulesDir": parts.Modules, "optionalModules": []string{"virtio_blk", "ext4"},
	})
	if err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(dir, "image.json")
	changedJSON(t, filepath.Join(harness.Root, "examples/own-kernel/guest.json"), image, string(fields))
	initrd := filepath.Join(dir, "initrd")
	harness.Must(t, harness.Root, filepath.Join(tools, "bin", "microvm-initrd"), "--output", initrd, image)
	return initrd
}

// TestDisksAreClean checks that the file systems on the disks of a guest are clean after each
// way to stop it.
func TestDisksAreClean(t *testing.T) {
	t.Parallel()
	initrd := imageWithDisk(t)
	for _, end := range []struct {
		name    string
		args    []any // of QEMU
		command []string
	}{
		{"by the agent", nil, []string{"microvm-shutdown"}},
		{"by the power button", noAgent, []string{"microvm-shutdown"}},
		{"by poweroff", nil, []string{"microvm-exec", "--", "poweroff"}},
	} {
		t.Run(strings.ReplaceAll(end.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			harness.OwnFolders(t)
			disk := filepath.Join(t.TempDir(), "disk")
			harness.Must(t, harness.Root, "truncate", "--size", "8M", disk)
			harness.Setenv(t, "MICROVM_CONFIG", harness.DemoWith(t, map[string]any{
				"machine": "q35", "initrd": initrd, "qemuArgs": append([]any{"-drive", "format=raw,if=virtio,file=" + disk}, end.args...),
			}))
			bin := filepath.Join(harness.Build(t, "tools"), "bin")
			vm := harness.Start(t, filepath.Join(bin, "microvm-run"), "--accel", accelerator(), "--auto-ports")
			vm.Expect(`console  hvc0`, 1)
			harness.Start(t, filepath.Join(bin, "connect-console"), "--read-only").Expect("the disk is 42", 1)
			if state := ext2State(t, disk); state&ext2Clean != 0 {
				t.Fatalf("the mounted file system has the state %#x already", state)
			}
			end.command[0] = filepath.Join(bin, end.command[0])
			output, err := harness.Command(t, harness.Root, end.command[0], end.command[1:]...)
			t.Log(output, err) // the VM may end before microvm-exec receives the status of poweroff
			if status := vm.Status(); status != 0 {
				t.Errorf("microvm-run has status %d", status)
			}
			if state := ext2State(t, disk); state&ext2Clean == 0 {
				t.Errorf("the state of the file system is %#x, want it clean", state)
			}
		})
	}
}

// ext2Clean is set in the state of a file system that was unmounted, or remounted read-only.
const ext2Clean = 1

// ext2State returns s_state of the superblock of the file system in a file; see
// https://docs.kernel.org/filesystems/ext4/globals.html#super-block.
func ext2State(t *testing.T, path string) uint16 {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var state [2]byte
	if _, err := file.ReadAt(state[:], 1024+0x3a); err != nil {
		t.Fatal(err)
	}
	return binary.LittleEndian.Uint16(state[:])
}
