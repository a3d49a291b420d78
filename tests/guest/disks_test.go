package guest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// diskVM is guestVM for the demo with disks. More fields are those of vm.json.
func diskVM(t *testing.T, disks []any, more map[string]any, start string) (folder string) {
	t.Helper()
	fields := map[string]any{"disks": disks}
	maps.Copy(fields, more)
	return guestVM(t, harness.PartsOfDemo(t), fields, start)
}

// guestVM makes the vm.json of a VM with an image of ours, in a new folder. fields are those of
// vm.json in addition to the demo's; start is the script of the image. It sets MICROVM_CONFIG and
// returns the folder, which has the state of the VM in state/microvm/console-demo.
func guestVM(t *testing.T, parts harness.Parts, fields map[string]any, start string) (folder string) {
	t.Helper()
	tools := harness.Build(t, "tools")
	folder = harness.OwnFolders(t)
	fields = maps.Clone(fields)
	initrd := filepath.Join(folder, "initrd")
	fields["initrd"], fields["kernel"], fields["modulesDir"] = initrd, parts.Kernel, parts.Modules
	vm, image := harness.DemoWith(t, fields), filepath.Join(folder, "image.json")
	text, err := json.Marshal(map[string]any{
		"vm": vm, "hostname": "devices", "busybox": parts.Busybox, "agent": tools + "/libexec/microvm-agent", "start": start,
		"modulesDir": parts.Modules, "modules": []string{"virtio_pci", "virtio_mmio", "virtio_console", "button", "evdev"},
	})
	if err != nil {
		t.Fatal(err)
	}
	harness.WriteFile(t, image, string(text))
	harness.Must(t, folder, filepath.Join(tools, "bin", "microvm-initrd"), "--output", initrd, image)
	harness.Setenv(t, "MICROVM_CONFIG", vm)
	harness.Setenv(t, "PATH", filepath.Join(tools, "bin")+":"+harness.Getenv(t, "PATH")+":/usr/sbin:/sbin")
	return folder
}

// ownDisk is a disk of the VM's own, mounted at /data.
var ownDisk = map[string]any{"name": "data", "sizeMiB": 32, "fs": "ext4", "target": "/data"}

// inGuest starts the VM, runs a shell script in its guest, stops it, and returns the output of the
// script.
func inGuest(t *testing.T, folder, script string) string {
	t.Helper()
	vm := harness.Start(t, "microvm-run", "--accel", accelerator(), "--auto-ports")
	vm.Expect(`READY after`, 1)
	waitAgent(t, vm)
	output := harness.Must(t, folder, "microvm-exec", "--", "sh", "-ec", script)
	harness.Must(t, folder, "microvm-shutdown", "--timeout", harness.WaitLimit.String())
	if status := vm.Status(); status != 0 {
		t.Fatalf("microvm-run has status %d", status)
	}
	return output
}

// TestDisks uses disks of each kind on each machine type, and then checks that run-test, which
// writes to them, changes none.
func TestDisks(t *testing.T) {
	t.Parallel()
	for _, machine := range []string{"q35", "microvm"} {
		t.Run(machine, func(t *testing.T) {
			t.Parallel()
			harness.OwnFolders(t)
			files := t.TempDir()
			harness.Must(t, files, "bash", "-euc", `PATH=$PATH:/usr/sbin:/sbin
				mkdir root && echo content >root/file
				mkfs.ext4 -q -d root read,only.img 4M
				mkfs.ext4 -q written.img 16M
				qemu-img create -q -f qcow2 image.qcow2 16M`)
			disks := []any{
				map[string]any{"name": "read-only", "path": files + "/read,only.img", "readOnly": true, "serial": "R-1", "fs": "ext4", "target": "/ro"},
				ownDisk,
				map[string]any{"name": "written", "path": files + "/written.img", "fs": "ext4", "target": "/written"},
				map[string]any{"name": "image", "path": files + "/image.qcow2", "format": "qcow2"},
			}
			folder := diskVM(t, disks, map[string]any{
				"machine": machine,
				"checks": []any{
					map[string]any{"name": "the VM's own disk is new", "run": "test ! -e /data/starts && echo 1 >/data/starts"},
					map[string]any{"name": "a snapshot of another one", "run": "test -e /written/starts && rm /written/starts && sync"},
				},
			}, "")
			const script = `
				cat /ro/file
				! touch /ro/other 2>/dev/null
				for target in /data /written; do echo start >>$target/starts; done
				for serial in /sys/block/*/serial; do
					[ $(cat $serial) != image ] || block=/dev/$(basename $(dirname $serial))
				done
				head -c 5 $block | tr '\0' -
				printf image >$block`
			for _, want := range []string{"content\n-----", "content\nimage"} {
				if got := inGuest(t, folder, script); got != want {
					t.Errorf("the guest printed %q, want %q", got, want)
				}
			}
			sums := func() string {
				return harness.Must(t, folder, "bash", "-c", "sha256sum state/microvm/console-demo/data.raw "+files+"/*.*")
			}
			before := sums()
			output := harness.Must(t, folder, "run-test", "--accel", accelerator(), "--lines", "1000")
			if !strings.Contains(output, " 0 failed") {
				t.Errorf("run-test has not passed:\n%s", output)
			}
			if after := sums(); after != before {
				t.Errorf("run-test has changed a disk:\n%s%s", before, after)
			}
			if got := inGuest(t, folder, "cat /data/starts /written/starts"); got != "start\nstart\nstart\nstart\n" {
				t.Errorf("after run-test, the disks have %q", got)
			}
		})
	}
}

// TestDiskInUse checks that the message of a second VM on a disk names the first one's QEMU, and
// that nothing of a snapshot is left when the owner of a VM is killed.
func TestDiskInUse(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	disk := filepath.Join(t.TempDir(), "disk.img")
	harness.Must(t, harness.Root, "truncate", "--size", "16M", disk)
	snapshot := filepath.Join(t.TempDir(), "snapshot.img")
	harness.Must(t, harness.Root, "truncate", "--size", "16M", snapshot)
	folder := diskVM(t, []any{
		map[string]any{"name": "disk", "path": disk},
		map[string]any{"name": "snapshot", "path": snapshot, "snapshot": true},
	}, map[string]any{"machine": "q35"}, "")
	temporary := t.TempDir()
	harness.Setenv(t, "TMPDIR", temporary)
	vm := harness.Start(t, "microvm-run", "--accel", accelerator(), "--auto-ports")
	vm.Expect(`READY after`, 1)
	waitAgent(t, vm)
	harness.Setenv(t, "TMPDIR", folder) // run-test keeps its journals there
	harness.Must(t, folder, "microvm-exec", "--", "sh", "-c", "for disk in vda vdb; do echo written >/dev/$disk; done; sync")
	for _, command := range [][]string{
		{"microvm-run", "--accel", accelerator(), "--name", "second", "--auto-ports"},
		{"run-test", "--accel", accelerator(), "--run", "starts"},
	} {
		output, err := harness.Command(t, folder, command[0], command[1:]...)
		if want := fmt.Sprintf("disk \"disk\": %s is in use by pid ", disk); err == nil || !strings.Contains(output, want) {
			t.Errorf("%s: no %q in: %v\n%s", command[0], want, err, output)
		}
	}
	var state struct{ QEMUPID int }
	if err := json.Unmarshal([]byte(harness.Must(t, folder, "console-status", "--json")), &state); err != nil {
		t.Fatal(err)
	}
	if err := vm.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-vm.Ended
	for harness.Alive(state.QEMUPID) { // go test has a time limit
		time.Sleep(10 * time.Millisecond)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("in TMPDIR: %v, %v", left, err)
	}
	for path, want := range map[string]string{disk: "written\n", snapshot: strings.Repeat("\x00", 8)} {
		if got := harness.ReadFile(t, path)[:8]; got != want {
			t.Errorf("%s begins with %q, want %q", path, got, want)
		}
	}
}

// TestDisksThatAreNotMounted checks that the guest prints why it does not mount a disk.
func TestDisksThatAreNotMounted(t *testing.T) {
	t.Parallel()
	disk := filepath.Join(t.TempDir(), "disk.img")
	harness.Must(t, harness.Root, "truncate", "--size", "16M", disk)
	damaged := []any{map[string]any{"name": "damaged", "path": disk, "fs": "ext4", "target": "/damaged"}}
	params := []string{"microvm.disk=absent,ext4,/absent,rw", "microvm.disk=damaged,nosuchfs,/fs,rw"}
	for _, test := range []struct {
		name  string
		disks []any
		want  []string
	}{
		{"with the driver", damaged, []string{
			"guest: disk damaged is not mounted on /damaged: /dev/vda has no ext4, or a damaged one",
			"guest: disk absent is not mounted on /absent: no disk has this serial number",
			"guest: disk damaged is not mounted on /fs: the kernel has no file system nosuchfs",
		}},
		{"without the driver", []any{}, []string{
			"guest: disk absent is not mounted on /absent: the kernel has no driver virtio_blk",
		}},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			folder := diskVM(t, test.disks, map[string]any{"machine": "q35", "kernelParams": params}, "")
			inGuest(t, folder, "true") // a guest with such a disk is ready all the same
			output := harness.Must(t, folder, "bash", "-c", "console-log --boot 0 serial; console-log --boot 0 console")
			for _, want := range test.want {
				if !strings.Contains(output, want) {
					t.Errorf("the guest has not printed %q:\n%s", want, output)
				}
			}
		})
	}
}
