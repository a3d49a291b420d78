package guest

import (
	"debug/elf"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestKernelFlavorsRunTest runs run-test with each of our larger kernels, on both machine types. The
// checks of guest-kernel-kasan slow its terminals down, so it prints fewer lines than usual.
func TestKernelFlavorsRunTest(t *testing.T) {
	for _, flavor := range []string{"full", "debug", "kasan"} {
		t.Run(flavor, func(t *testing.T) {
			demo := kernelDemo(t, "guest-kernel-"+flavor, flavor+"-guest")
			for _, kind := range []string{"q35", "microvm"} {
				t.Run(kind, func(t *testing.T) {
					harness.OwnFolders(t)
					output := harness.Must(t, harness.Root, filepath.Join(demo, "bin", "run-test"), "--machine", kind,
						"--lines", "10000", "--timeout", "10m")
					if !strings.Contains(output, "14 passed, 0 failed") {
						t.Error(output)
					}
				})
			}
		})
	}
}

// fullScript uses the disks, the folder and the network of a guest with guest-kernel-full.
const fullScript = `
mkdir /ext4 /erofs /share /layers /over /cgroup
mount -t ext4 /dev/vda /ext4
mount -t erofs -o ro /dev/vdb /erofs
mount -t 9p -o ro,trans=virtio,version=9p2000.L host /share
mount -t tmpfs layers /layers
mkdir /layers/upper /layers/work
mount -t overlay -o lowerdir=/erofs,upperdir=/layers/upper,workdir=/layers/work overlay /over
cat /erofs/file >/over/copy
cat /over/copy /share/file
cat /over/copy >/ext4/written
for name in autofs iso9660 vfat virtiofs; do grep -w $name /proc/filesystems; done
mount -t cgroup2 cgroup /cgroup
for name in cpu cpuset io memory pids; do grep -w $name /cgroup/cgroup.controllers; done
unshare --user --map-root-user --net --ipc --uts --mount --pid --fork true
printf '#!/bin/sh\n[ "$1" != bound ] || echo "address $ip"\n' >/lease
chmod +x /lease
ip link set eth0 up
udhcpc -f -n -q -i eth0 -s /lease
umount /ext4
`

// TestFullKernel mounts an ext4 and an erofs disk and a folder of the host, and gets an address by
// DHCP.
func TestFullKernel(t *testing.T) {
	t.Parallel()
	demo := kernelDemo(t, "guest-kernel-full", "full-guest")
	dir := t.TempDir()
	harness.Setenv(t, "PATH", harness.Getenv(t, "PATH")+":/usr/sbin")
	harness.Must(t, dir, "bash", "-ec", `mkdir erofs share
echo "from erofs" >erofs/file
echo "from the host" >share/file
truncate --size 16M disk
mkfs.ext4 -q disk
mkfs.erofs image erofs`)
	output := inFlavor(t, demo, fullScript, map[string]any{"qemuArgs": []string{
		"-drive", "format=raw,if=virtio,file=" + dir + "/disk",
		"-drive", "format=raw,if=virtio,readonly=on,file=" + dir + "/image",
		"-virtfs", "local,path=" + dir + "/share,mount_tag=host,security_model=none,readonly=on",
		"-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net",
	}})
	// The address that QEMU's DHCP server gives the first guest.
	for _, want := range []string{"from erofs\n", "from the host\n", "address 10.0.2.15\n"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
	if written := harness.Must(t, dir, "debugfs", "-R", "cat /written", "disk"); !strings.Contains(written, "from erofs\n") {
		t.Errorf("the file on the ext4 disk has %q", written)
	}
}

// inFlavor runs a script in a guest with a changed vm.json, on q35, and returns its output. The
// script ends at the first command that fails.
func inFlavor(t *testing.T, demo, script string, fields map[string]any) string {
	t.Helper()
	harness.OwnFolders(t)
	config := harness.ChangedVM(t, demo, func(machine map[string]any) {
		machine["machine"] = "q35"
		for name, value := range fields {
			machine[name] = value
		}
	})
	return harness.Must(t, harness.Root, harness.Tool(t, "microvm-run"), "--config", config, "--auto-ports",
		"--timeout", "10m", "--exec", "--", "sh", "-exc", script)
}

// debugScript shows that the parts of guest-kernel-debug work. A warning and a KASAN report set
// bits of `tainted`: see the kernel's Documentation/admin-guide/tainted-kernels.rst.
const debugScript = `
echo "sysrq $(cat /proc/sys/kernel/sysrq)"
mount -t debugfs debugfs /sys/kernel/debug
echo "unit tests $(ls /sys/kernel/debug/kunit | wc -l)"
for file in /proc/lockdep_stats /proc/sys/kernel/hung_task_timeout_secs /proc/sys/kernel/watchdog_thresh \
	/sys/kernel/debug/kfence/stats /sys/kernel/debug/kmemleak /sys/module/workqueue/parameters/watchdog_thresh
do
	cat $file >/dev/null
done
mkdir /modules
mount -t 9p -o ro,trans=virtio,version=9p2000.L modules /modules
insmod /modules/*/kernel/lib/test_lockup.ko time_nsecs=1000 || true
dmesg | grep test_lockup
echo "tainted $(($(cat /proc/sys/kernel/tainted) & 512))"
echo WARNING >/sys/kernel/debug/provoke-crash/DIRECT
echo "tainted $(($(cat /proc/sys/kernel/tainted) & 512))"
dmesg | grep lkdtm_WARNING+0x
`

// TestDebugKernel lets guest-kernel-debug warn, and checks its files and its debug information.
func TestDebugKernel(t *testing.T) {
	t.Parallel()
	demo := kernelDemo(t, "guest-kernel-debug", "debug-guest")
	kernel := harness.Build(t, "guest-kernel-debug")
	output := inFlavor(t, demo, debugScript, map[string]any{"qemuArgs": []string{
		"-virtfs", "local,path=" + kernel + "/lib/modules,mount_tag=modules,security_model=none,readonly=on",
	}})
	for _, want := range []string{"sysrq 1\n", "unit tests 0\n", "tainted 0\n", "tainted 512\n"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
	file, err := elf.Open(filepath.Join(kernel, "vmlinux"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.DWARF(); err != nil {
		t.Error(err)
	}
}

// TestDebugKernelRunsUnitTests runs the kernel's own tests at boot.
func TestDebugKernelRunsUnitTests(t *testing.T) {
	t.Parallel()
	demo := kernelDemo(t, "guest-kernel-debug", "debug-guest")
	output := inFlavor(t, demo, "mount -t debugfs debugfs /sys/kernel/debug; cat /sys/kernel/debug/kunit/*/results",
		map[string]any{"kernelParams": []string{"kunit.enable=1"}})
	// The results have the form of TAP.
	if passed := strings.Count(output, "\nok "); passed < 3 || strings.Contains(output, "not ok ") {
		t.Errorf("%d suites have passed, want 3:\n%s", passed, output)
	}
}

// TestKernelsDocument makes the VM of docs/kernels.md and runs the commands there.
func TestKernelsDocument(t *testing.T) {
	t.Parallel()
	const document = "docs/kernels.md"
	kernelDemo(t, "guest-kernel-debug", "debug-guest")
	section := harness.Section(t, document, "## guest-kernel-debug")
	folder := harness.UserFlake(t, harness.Block(t, section, "nix"))
	output := harness.Must(t, folder, "bash", "-euo", "pipefail", "-c", strings.Join(harness.BashBlocks(t, document), ""))
	for _, want := range []string{"lkdtm_WARNING+0x", " (drivers/misc/lkdtm/bugs.c:", `bugs.c" starts at address 0x`} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
}

// TestKASANKernel lets the kernel read memory that it has freed.
func TestKASANKernel(t *testing.T) {
	t.Parallel()
	demo := kernelDemo(t, "guest-kernel-kasan", "kasan-guest")
	output := inFlavor(t, demo, `
mount -t debugfs debugfs /sys/kernel/debug
echo "tainted $(($(cat /proc/sys/kernel/tainted) & 32))"
echo READ_AFTER_FREE >/sys/kernel/debug/provoke-crash/DIRECT
echo "tainted $(($(cat /proc/sys/kernel/tainted) & 32))"
`, nil)
	if !strings.Contains(output, "tainted 0\n") || !strings.Contains(output, "tainted 32\n") {
		t.Error(output)
	}
}
