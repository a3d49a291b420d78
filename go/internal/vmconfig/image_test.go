package vmconfig_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/vmconfig"
)

func TestParseImage(t *testing.T) {
	got, err := vmconfig.Parse([]byte(`{"name": "m", "consoles": [
		{"name": "a", "device": "ttyS0", "port": 1}, {"name": "b", "device": "hvc0", "port": 2, "login": true},
		{"name": "c", "device": "debugcon", "port": 3}],
		"image": {"path": "/i", "format": "raw", "interface": "sata", "snapshot": true, "firmware": "/f"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &vmconfig.Image{Path: "/i", Format: "raw", Interface: "sata", Snapshot: true, Firmware: "/f"}
	if diff := cmp.Diff(want, got.Image); diff != "" {
		t.Error(diff)
	}
	var logins []bool
	for _, console := range got.Consoles {
		logins = append(logins, console.HasLogin())
	}
	if diff := cmp.Diff([]bool{false, true, false}, logins); diff != "" {
		t.Error(diff)
	}
}

func TestMistakesInImages(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"an image and a kernel", `"image": {"path": "i"}, "kernel": "k", "initrd": "i", "kernelParams": ["a"]`, []string{
			"image: cannot be combined with kernel (remove one of the two)",
		}},
		{"what only a kernel has", `"image": {"path": "i"}, "initrd": "i", "kernelParams": ["a"], "machine": "microvm"`, []string{
			"initrd: needs kernel (an image contains its own)",
			"kernelParams: needs kernel (set the parameters in the boot loader of the image)",
			`machine: "microvm" cannot boot an image (use q35 or auto)`,
		}},
		{"unknown values", `"image": {"format": "img", "interface": "ide", "name": "i"}`, []string{
			"image.name: unknown field (known: firmware, format, interface, path, snapshot)",
			"image.path: is missing",
			`image.format: unknown format "img" (choose raw, qcow2, iso)`,
			`image.interface: unknown interface "ide" (choose virtio, sata, floppy)`,
		}},
		{"an interface of a CD", `"image": {"path": "i", "format": "iso", "interface": "sata"}`, []string{
			"image.interface: cannot be combined with format iso (a CD is always on SATA)",
		}},
		{"input to a debugcon", `"kernel": "k", "consoles": [{"name": "d", "device": "debugcon", "port": 1, "login": true}],
			"checks": [{"name": "c", "send": "a", "expect": "b"}, {"name": "d", "expect": "b"}]`, []string{
			"consoles[0].login: a debugcon has no input (leave it out)",
			`checks[0].send: console "d" has no input (use another console)`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := vmconfig.Parse([]byte(`{"name": "m", ` + test.text + `}`))
			if diff := cmp.Diff(test.want, messages(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// at returns zeros with texts at some positions, of a size.
func at(size int, texts map[int]string) string {
	data := make([]byte, size)
	for position, text := range texts {
		copy(data[position:], text)
	}
	return string(data)
}

// The beginnings of images.
var (
	bootSector = at(512, map[int]string{510: "\x55\xaa"})
	qcow2      = "QFI\xfb" + strings.Repeat("\x00", 600)
	plainISO   = at(40000, map[int]string{0x8001: "CD001"})
	bootISO    = at(40000, map[int]string{510: "\x55\xaa", 0x8001: "CD001", 0x8807: "EL TORITO SPECIFICATION"})
)

// How an image is attached follows from its content and size, unless its fields say so.
func TestBootOfAnImage(t *testing.T) {
	floppy, disk, cd := vmconfig.Boot{Format: "raw", Interface: "floppy"}, vmconfig.Boot{Format: "raw", Interface: "virtio"}, vmconfig.Boot{Format: "raw", Interface: "cd"}
	for _, test := range []struct {
		name, text string
		format, on string
		want       vmconfig.Boot
		mistake    string // with FILE for the path
	}{
		{"a boot sector", bootSector, "", "", floppy, ""},
		{"a floppy disk", at(1440<<10, map[int]string{510: "\x55\xaa"}), "", "", floppy, ""},
		{"a disk", at(1440<<10+1, map[int]string{510: "\x55\xaa"}), "", "", disk, ""},
		{"a small disk", bootSector, "raw", "virtio", disk, ""},
		{"a SATA disk", bootSector, "", "sata", vmconfig.Boot{Format: "raw", Interface: "sata"}, ""},
		{"qcow2", qcow2, "qcow2", "", vmconfig.Boot{Format: "qcow2", Interface: "virtio"}, ""},
		{"an ISO", bootISO, "", "", cd, ""},
		{"an ISO that says so", bootISO, "iso", "", cd, ""},
		{"an ISO as a disk", bootISO, "raw", "virtio", disk, ""},
		{"nothing", "", "", "", vmconfig.Boot{}, "image.path: FILE cannot boot: its first 512 bytes do not end with 55 aa, as a boot sector or a partition table does (name a bootable disk)"},
		{"less than a sector", bootSector[:511], "", "", vmconfig.Boot{}, "image.path: FILE cannot boot: its first 512 bytes do not end with 55 aa, as a boot sector or a partition table does (name a bootable disk)"},
		{"qcow2 that is guessed", qcow2, "", "", vmconfig.Boot{}, "image.format: FILE begins as a qcow2 image (set format to \"qcow2\", or to \"raw\" if the guest has written that)"},
		{"a raw disk as qcow2", bootSector, "qcow2", "", vmconfig.Boot{}, "image.format: FILE is not a qcow2 image (set format to \"raw\", or convert it with qemu-img)"},
		{"a disk as an ISO", bootSector, "iso", "", vmconfig.Boot{}, "image.format: FILE has no ISO 9660 file system (leave format out)"},
		{"an ISO without a boot record", plainISO, "", "", vmconfig.Boot{}, "image.path: FILE is an ISO that cannot boot (make one with a boot record: xorriso -as mkisofs -b, or grub-mkrescue)"},
		{"an ISO on virtio", bootISO, "", "virtio", vmconfig.Boot{}, "image.interface: FILE is an ISO, and a CD is always on SATA (leave interface out, or set format to raw to use it as a disk)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "image")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			m := vmconfig.Machine{QEMU: "/bin/sh", Image: &vmconfig.Image{Path: path, Format: test.format, Interface: test.on}}
			boot, err := m.Boot()
			if diff := cmp.Diff(test.want, boot); diff != "" {
				t.Error(diff)
			}
			var got, want []string
			if err := m.CheckFiles(); err != nil {
				got = messages(t, err)
			}
			if test.mistake != "" {
				want = []string{strings.ReplaceAll(test.mistake, "FILE", path)}
			}
			if diff := cmp.Diff(want, got); diff != "" || (err != nil) != (test.mistake != "") {
				t.Error(diff, err)
			}
		})
	}
}

func TestImageThatIsNoFile(t *testing.T) {
	for path, want := range map[string]string{"/none": "image.path: ", "/proc": "image.path: /proc is not a regular file"} {
		_, err := vmconfig.Machine{Image: &vmconfig.Image{Path: path}}.Boot()
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// An image that cannot be written needs a snapshot.
func TestReadOnlyImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, []byte(bootSector), 0o400); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		t.Skip("root may write to any file (run the test as another user)")
	}
	image := vmconfig.Image{Path: path}
	_, err := vmconfig.Machine{Image: &image}.Boot()
	want := "image.snapshot: " + path + " cannot be written (set snapshot to true, or use a copy of the file)"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	image.Snapshot = true
	if _, err := (vmconfig.Machine{Image: &image}).Boot(); err != nil {
		t.Error(err)
	}
}

func TestFirmware(t *testing.T) {
	dir := t.TempDir()
	in := func(name string, size int) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(at(size, map[int]string{510: "\x55\xaa"})), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const remedy = " (set firmware to bios, or to the path of one such as OVMF_CODE.fd)"
	disk, odd := in("disk", 1024), in("odd", 4097)
	for firmware, want := range map[string][]string{
		"": nil, "bios": nil, in("firmware", 8192): nil,
		odd: {"image.firmware: " + odd + " is not a firmware: its size is not a multiple of 4 KiB up to 8 MiB" + remedy},
		dir: {"image.firmware: " + dir + " is not a regular file" + remedy},
	} {
		var got []string
		if err := (vmconfig.Machine{QEMU: "/bin/sh", Image: &vmconfig.Image{Path: disk, Firmware: firmware}}).CheckFiles(); err != nil {
			got = messages(t, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", firmware, diff)
		}
	}
}
