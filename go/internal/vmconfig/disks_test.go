package vmconfig_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"microvm-console/internal/vmconfig"
)

// disks returns the least vm.json with disks.
func disks(all ...string) string {
	return `{"disks": [` + strings.Join(all, ", ") + `], ` + least[1:]
}

func TestParseDisks(t *testing.T) {
	got, err := vmconfig.Parse([]byte(disks(
		`{"name": "data", "sizeMiB": 64, "fs": "ext4", "target": "/var/lib/data"}`,
		`{"name": "cd", "path": "cd,1.iso", "readOnly": true, "serial": "CD-1", "fs": "iso9660", "target": "/cd"}`,
		`{"name": "q", "path": "/q", "format": "qcow2", "snapshot": true}`,
	)))
	if err != nil {
		t.Fatal(err)
	}
	want := []vmconfig.Disk{
		{Name: "data", SizeMiB: 64, FS: "ext4", Target: "/var/lib/data"},
		{Name: "cd", Path: "cd,1.iso", ReadOnly: true, Serial: "CD-1", FS: "iso9660", Target: "/cd"},
		{Name: "q", Path: "/q", Format: "qcow2", Snapshot: true},
	}
	if diff := cmp.Diff(want, got.Disks); diff != "" {
		t.Error(diff)
	}
}

// diskMistakes are disks and every mistake in them.
var diskMistakes = []struct {
	name  string
	disks []string
	want  []string
}{
	{"an empty disk", []string{`{}`}, []string{
		`disks[0].name: invalid name "": want lower-case letters, digits and dashes, at most 20`,
		`disks[0]: has neither path nor sizeMiB (set path to a file or a block device, or sizeMiB for a new disk)`,
	}},
	{"a name of 21 letters", []string{`{"name": "` + strings.Repeat("a", 21) + `", "path": "/p"}`}, []string{
		`disks[0].name: invalid name "` + strings.Repeat("a", 21) + `": want lower-case letters, digits and dashes, at most 20`,
	}},
	{"both files", []string{`{"name": "a", "path": "/p", "sizeMiB": 64}`}, []string{
		`disks[0]: has both path and sizeMiB (remove one of them: sizeMiB is for a disk that the VM makes itself)`,
	}},
	{"sizes", []string{`{"name": "a", "sizeMiB": 3}`, `{"name": "b", "sizeMiB": -1}`, `{"name": "c", "sizeMiB": 16777216}`}, []string{
		"disks[0].sizeMiB: 3 is out of range (4 to 16777215)",
		"disks[1].sizeMiB: -1 is out of range (4 to 16777215)",
		"disks[2].sizeMiB: 16777216 is out of range (4 to 16777215)",
	}},
	{"equal names, equal serial numbers", []string{
		`{"name": "a", "path": "/a"}`, `{"name": "a", "path": "/b"}`,
		`{"name": "c", "path": "/c", "serial": "a"}`,
	}, []string{
		`disks[1].name: "a" is also the name of disks[0] (names must differ)`,
		`disks[2].serial: "a" is also the serial number of disks[0] (serial numbers must differ)`,
	}},
	{"a serial number with a comma", []string{`{"name": "a", "path": "/a", "serial": "1,2"}`}, []string{
		`disks[0].serial: invalid serial number "1,2": want letters, digits, '.', '_', ':' and '-', at most 20`,
	}},
	{"formats", []string{
		`{"name": "a", "path": "/a", "format": "qcow"}`, `{"name": "b", "path": "/b", "format": "vmdk"}`,
		`{"name": "c", "sizeMiB": 64, "format": "qcow2"}`,
	}, []string{
		`disks[0].format: unknown format "qcow" (did you mean qcow2?)`,
		`disks[1].format: unknown format "vmdk" (known: raw, qcow2)`,
		`disks[2].format: a disk with sizeMiB is raw (remove format, or set path)`,
	}},
	{"read-only disks", []string{
		`{"name": "a", "sizeMiB": 64, "readOnly": true}`,
		`{"name": "b", "path": "/b", "readOnly": true, "snapshot": true}`,
	}, []string{
		`disks[0].readOnly: a disk with sizeMiB would stay empty (remove readOnly, or set path)`,
		`disks[1].snapshot: a read-only disk is never changed (remove snapshot, or readOnly)`,
	}},
	{"file systems", []string{
		`{"name": "a", "sizeMiB": 64, "fs": "xfs", "target": "/a"}`,
		`{"name": "b", "path": "/b", "fs": "ext4,x", "target": "/b"}`,
		`{"name": "c", "path": "/c", "target": "/c"}`,
	}, []string{
		`disks[0].fs: "xfs": a new disk gets ext4 or no file system (set fs to "ext4", or set path to a disk with xfs)`,
		`disks[1].fs: invalid file system "ext4,x": want the kernel's name, such as "ext4"`,
		`disks[2].target: needs fs (set fs to the file system of the disk, such as "ext4")`,
	}},
	{"targets", []string{
		`{"name": "a", "path": "/a", "fs": "ext4", "target": "data"}`,
		`{"name": "b", "path": "/b", "fs": "ext4", "target": "/"}`,
		`{"name": "c", "path": "/c", "fs": "ext4", "target": "/a/../b"}`,
		`{"name": "d", "path": "/d", "fs": "ext4", "target": "/a b"}`,
		`{"name": "e", "path": "/e", "fs": "ext4", "target": "/a,b"}`,
		`{"name": "f", "path": "/f", "fs": "ext4", "target": "/a\"b"}`,
		`{"name": "g", "path": "/g", "fs": "ext4", "target": "/data"}`,
		`{"name": "h", "path": "/h", "fs": "ext4", "target": "/data"}`,
	}, []string{
		`disks[0].target: invalid target "data": want an absolute path other than "/", without ".." or a trailing slash`,
		`disks[1].target: invalid target "/": want an absolute path other than "/", without ".." or a trailing slash`,
		`disks[2].target: invalid target "/a/../b": want an absolute path other than "/", without ".." or a trailing slash`,
		`disks[3].target: invalid target "/a b": want no white space, commas, quotes and characters that are special in a shell`,
		`disks[4].target: invalid target "/a,b": want no white space, commas, quotes and characters that are special in a shell`,
		`disks[5].target: invalid target "/a\"b": want no white space, commas, quotes and characters that are special in a shell`,
		`disks[7].target: "/data" is also the target of disks[6] (targets must differ)`,
	}},
}

func TestParseReportsMistakesInDisks(t *testing.T) {
	for _, test := range diskMistakes {
		t.Run(test.name, func(t *testing.T) {
			_, err := vmconfig.Parse([]byte(disks(test.disks...)))
			if diff := cmp.Diff(test.want, messages(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWithoutChanges(t *testing.T) {
	before := vmconfig.Machine{Disks: []vmconfig.Disk{
		{Name: "own", SizeMiB: 64}, {Name: "written", Path: "/w"}, {Name: "read", Path: "/r", ReadOnly: true},
	}}
	want := []vmconfig.Disk{
		{Name: "own", SizeMiB: 64}, {Name: "written", Path: "/w", Snapshot: true}, {Name: "read", Path: "/r", ReadOnly: true},
	}
	if diff := cmp.Diff(want, before.WithoutChanges().Disks); diff != "" {
		t.Error(diff)
	}
	before.Image = &vmconfig.Image{Path: "i"}
	if !before.WithoutChanges().Image.Snapshot {
		t.Error("the image is not a snapshot")
	}
	if before.Disks[1].Snapshot || before.Image.Snapshot {
		t.Error("the machine itself has changed")
	}
}

func TestCheckDisks(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"raw": "\x00\x00\x00\x00", "short": "Q", "qcow2": "QFI\xfb\x00\x00\x00\x03"} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(in("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, absent := os.Stat(in("absent"))
	tests := []struct {
		name string
		disk vmconfig.Disk
		want string // "" if there is no mistake
	}{
		{"raw", vmconfig.Disk{Path: in("raw")}, ""},
		{"smaller than a magic number", vmconfig.Disk{Path: in("short")}, ""},
		{"qcow2", vmconfig.Disk{Path: in("qcow2"), Format: "qcow2"}, ""},
		{"a new disk", vmconfig.Disk{SizeMiB: 64}, ""},
		{
			"a missing file", vmconfig.Disk{Path: in("absent")},
			"disks[0].path: " + absent.Error() + " (create the file, or set sizeMiB instead of path for a new disk)",
		},
		{"a directory", vmconfig.Disk{Path: dir}, "disks[0].path: " + dir + " is neither a regular file nor a block device"},
		{"a FIFO", vmconfig.Disk{Path: in("fifo")}, "disks[0].path: " + in("fifo") + " is neither a regular file nor a block device"},
		{"a terminal", vmconfig.Disk{Path: "/dev/null"}, "disks[0].path: /dev/null is neither a regular file nor a block device"},
		{
			"qcow2 without a format", vmconfig.Disk{Path: in("qcow2"), ReadOnly: true},
			"disks[0].format: " + in("qcow2") + ` begins as a qcow2 image (set format to "qcow2", or to "raw" if the guest has written that)`,
		},
		{"a raw disk of a guest that looks like qcow2", vmconfig.Disk{Path: in("qcow2"), Format: "raw"}, ""},
		{
			"raw as qcow2", vmconfig.Disk{Path: in("short"), Format: "qcow2"},
			"disks[0].format: " + in("short") + ` is not a qcow2 image (set format to "raw", or convert it with qemu-img)`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var want []string
			if test.want != "" {
				want = []string{test.want}
			}
			var got []string
			if err := (vmconfig.Machine{Disks: []vmconfig.Disk{test.disk}}).CheckDisks(); err != nil {
				got = messages(t, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A disk must be writable unless QEMU only reads it.
func TestCheckDisksWithoutPermission(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write to every file (run this test as another user)")
	}
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, []byte("data"), 0o400); err != nil {
		t.Fatal(err)
	}
	for _, disk := range []vmconfig.Disk{{Path: path}, {Path: path, ReadOnly: true}, {Path: path, Snapshot: true}} {
		err := (vmconfig.Machine{Disks: []vmconfig.Disk{disk}}).CheckDisks()
		if (err != nil) != disk.Writable() {
			t.Errorf("%+v: %v", disk, err)
		}
	}
}
