package initrd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/testsupport/initrdtest"
)

// The image of a VM has the drivers of its disks, each once, and a login on each console that has
// one. A mistake in vm.json names that file.
func TestDecodeReadsTheVM(t *testing.T) {
	dir := t.TempDir()
	vm := filepath.Join(dir, "vm.json")
	initrdtest.Write(t, vm, []byte(`{"name": "m", "kernel": "k",
		"consoles": [{"name": "a", "device": "hvc0", "port": 1}, {"name": "b", "device": "hvc1", "port": 2, "login": false}],
		"disks": [{"name": "a", "path": "/a", "fs": "iso9660", "target": "/a"}, {"name": "b", "sizeMiB": 64, "fs": "ext4"}]}`))
	wrong := filepath.Join(dir, "wrong.json")
	initrdtest.Write(t, wrong, []byte(`{"name": "m", "kernel": "k", "disks": [{"name": "a"}]}`))
	decode := func(vm, fields string) (Image, error) {
		return Decode([]byte(`{"busybox": "b", "hostname": "h", "vm": "` + vm + `"` + fields + `}`))
	}
	tests := []struct {
		name, fields    string
		modules, gettys []string
	}{
		{"with modules", `, "modulesDir": "m", "modules": ["virtio_pci", "virtio_blk"]`, []string{"virtio_pci", "virtio_blk", "isofs", "ext4"}, []string{"hvc0"}},
		{"without modules", "", nil, []string{"hvc0"}},
		{"other logins", `, "gettys": ["ttyS0"]`, nil, []string{"ttyS0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			img, err := decode(vm, test.fields)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.modules, img.Modules) + cmp.Diff(test.gettys, img.Gettys); diff != "" {
				t.Error(diff)
			}
		})
	}
	_, err := decode(wrong, `, "gettys": ["a b"]`)
	want := []string{
		`gettys[0]: invalid name "a b"`,
		"DIR/wrong.json: disks[0]: has neither path nor sizeMiB (set path to a file or a block device, or sizeMiB for a new disk)",
	}
	if diff := cmp.Diff(want, initrdtest.Mistakes(err, dir)); diff != "" {
		t.Error(diff)
	}
	absent := filepath.Join(dir, "absent")
	_, refusal := os.ReadFile(absent)
	_, err = decode(absent, "")
	want = []string{strings.ReplaceAll("vm: "+refusal.Error()+" (set it to the path of the VM's vm.json)", dir, "DIR")}
	if diff := cmp.Diff(want, initrdtest.Mistakes(err, dir)); diff != "" {
		t.Error(diff)
	}
}

// The image of a VM with shares has the driver that the start chooses, and its modules once.
func TestDecodeReadsShares(t *testing.T) {
	dir := initrdtest.Modules(t, t.TempDir(), "9p.ko:", "9pnet_virtio.ko:", "virtiofs.ko:")
	vm := filepath.Join(dir, "vm.json")
	const share = `{"source": "/s", "target": "/`
	for _, test := range []struct {
		name, modulesDir, shares string
		want                     []string
	}{
		{"the kernel has both", dir, share + `a"}, ` + share + `b"}`, []string{"9pnet_virtio", "9p"}},
		{"as vm.json says", "/nonexistent", share + `a", "driver": "virtiofs"}`, []string{"virtiofs"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			initrdtest.Write(t, vm, []byte(`{"name": "m", "kernel": "k", "modulesDir": "`+test.modulesDir+`", "shares": [`+test.shares+`]}`))
			img, err := Decode([]byte(`{"busybox": "b", "hostname": "h", "modulesDir": "m", "vm": "` + vm + `"}`))
			if diff := cmp.Diff(test.want, img.Modules); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
	t.Run("unknown", func(t *testing.T) {
		initrdtest.Write(t, vm, []byte(`{"name": "m", "kernel": "DIR/nonexistent", "shares": [`+share+`a"}]}`))
		_, err := Decode([]byte(`{"busybox": "b", "hostname": "h", "modulesDir": "m", "vm": "` + vm + `"}`))
		if got := initrdtest.Mistakes(err, dir); len(got) != 1 || !strings.HasPrefix(got[0], "DIR/vm.json: shares[0].driver: cannot be chosen: ") || !IsImageError(err) {
			t.Errorf("got %q", got)
		}
	})
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name string
		json string
		want []string
	}{
		{"the minimum", `{"busybox": "b", "hostname": "h"}`, nil},
		{"all fields", `{"busybox": "b", "modulesDir": "m", "modules": ["a", "b-c"], "optionalModules": ["d"],
			"gettys": ["ttyS0", "hvc0"], "hostname": "console-demo", "start": "echo hello", "agent": "a",
			"files": [{"path": "/a", "text": "x", "mode": "0755"}, {"path": "/b/c", "source": "/s"}]}`, nil},
		{"empty", `{}`, []string{
			`busybox: is missing (set it to the path of a statically linked busybox)`,
			`hostname: invalid host name "": want letters, digits and inner hyphens, at most 63`,
		}},
		{"no login", `{"busybox": "b", "hostname": "h", "gettys": []}`, []string{
			`gettys: is missing (list the terminals with a login, such as "ttyS0")`,
		}},
		{"invalid names", `{"busybox": "b", "hostname": "a b",
			"gettys": ["ttyS0", "../x", "ttyS0"], "modulesDir": "m", "modules": ["a.ko"], "optionalModules": [""]}`, []string{
			`hostname: invalid host name "a b": want letters, digits and inner hyphens, at most 63`,
			`gettys[1]: invalid name "../x"`,
			`gettys[2]: "ttyS0" is listed twice`,
			`modules[0]: invalid name "a.ko"`,
			`optionalModules[0]: invalid name ""`,
		}},
		{"modules without modulesDir", `{"busybox": "b", "hostname": "h", "gettys": ["ttyS0"], "modules": ["a"]}`, []string{
			`modulesDir: is missing (set it to a kernel's lib/modules; for a kernel without modules, remove modules)`,
		}},
		{"services", `{"busybox": "b", "hostname": "h", "services": [{"name": "web", "run": "httpd -f"},
			{"name": "../x", "run": "x"}, {"name": "web", "run": "x"}, {"name": "idle", "run": " "}]}`, []string{
			`services[1].name: invalid name "../x": want letters, digits, hyphens and underscores`,
			`services[2].name: "web" is listed twice`,
			`services[3].run: is missing (set it to the command that runs, and stays in the foreground)`,
		}},
		{"packages", `{"busybox": "b", "hostname": "h", "packages": ["/nix/store/x", "result"]}`, []string{
			`packages[1]: "result" is not an absolute path (the guest has the package under the same path)`,
		}},
		{"files", `{"busybox": "b", "hostname": "h", "gettys": ["ttyS0"], "files": [
			{"path": "a"}, {"path": "/"}, {"path": "/a/../b"}, {"path": "/TRAILER!!!"}, {"path": "/a\u0000b"},
			{"path": "/d", "text": "t", "source": "s"}, {"path": "/d"},
			{"path": "/e", "mode": "1777"}, {"path": "/f", "mode": "rwx"}]}`, []string{
			`files[0].path: invalid path "a": want an absolute path without ".." or a trailing slash`,
			`files[1].path: invalid path "/": want an absolute path without ".." or a trailing slash`,
			`files[2].path: invalid path "/a/../b": want an absolute path without ".." or a trailing slash`,
			`files[3].path: invalid path "/TRAILER!!!": want an absolute path without ".." or a trailing slash`,
			`files[4].path: invalid path "/a\x00b": want an absolute path without ".." or a trailing slash`,
			`files[5]: has both text and source (remove one of them)`,
			`files[6].path: "/d" is listed twice`,
			`files[7].mode: invalid mode "1777": want octal permission bits, e.g. "0755"`,
			`files[8].mode: invalid mode "rwx": want octal permission bits, e.g. "0755"`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Decode([]byte(test.json))
			if diff := cmp.Diff(test.want, initrdtest.Mistakes(err, "-")); diff != "" {
				t.Error(diff)
			}
			if err != nil && !IsImageError(err) {
				t.Errorf("%v is not an ImageError", err)
			}
		})
	}
}

func TestGettysOfTheDefaultConsoles(t *testing.T) {
	img, err := Decode([]byte(`{"busybox": "b", "hostname": "h"}`))
	if diff := cmp.Diff([]string{"ttyS0", "hvc0"}, img.Gettys); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// Package strictjson tests unknown fields and wrong types; here they are combined with another
// mistake.
func TestDecodeIsStrict(t *testing.T) {
	_, err := Decode([]byte(`{"busybox": 1, "initrd": "x"}`))
	if got := initrdtest.Mistakes(err, "-"); len(got) != 3 || !IsImageError(err) {
		t.Errorf("got %q", got)
	}
}
