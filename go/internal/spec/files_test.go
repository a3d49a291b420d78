package spec_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"microvm-console/internal/spec"
)

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, mode := range map[string]os.FileMode{"kernel": 0o600, "program": 0o700} {
		if err := os.WriteFile(in(name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(in("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)

	tests := []struct {
		name    string
		machine spec.Machine
		want    []string
	}{
		{"all there", spec.Machine{QEMU: in("program"), Kernel: in("kernel"), Initrd: in("kernel")}, nil},
		{"QEMU on the PATH, no initrd", spec.Machine{QEMU: "program", Kernel: in("kernel")}, nil},
		{
			"nothing there",
			spec.Machine{QEMU: "qemu", Kernel: in("k"), Initrd: in("i")},
			[]string{
				`qemu: "qemu" was not found (install QEMU, or name the program in vm.json)`,
				"kernel: stat " + in("k") + ": no such file or directory (name a bzImage in vm.json)",
				"initrd: stat " + in("i") + ": no such file or directory (name an initramfs in vm.json)",
			},
		},
		{
			"a file that is no program, a folder and a FIFO",
			spec.Machine{QEMU: in("kernel"), Kernel: dir, Initrd: in("fifo")},
			[]string{
				`qemu: "` + in("kernel") + `" was not found (install QEMU, or name the program in vm.json)`,
				"kernel: " + dir + " is no regular file (name a bzImage in vm.json)",
				"initrd: " + in("fifo") + " is no regular file (name an initramfs in vm.json)",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			if err := test.machine.CheckFiles(); err != nil {
				got = told(t, err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheckDevices(t *testing.T) {
	if err := (spec.Machine{}).CheckDevices(); err != nil {
		t.Errorf("a machine without devices: %v", err)
	}
	file, absent := os.OpenFile("/dev/vhost-vsock", os.O_RDWR, 0)
	if absent == nil {
		file.Close()
	}
	err := spec.Machine{Vsock: &spec.Vsock{CID: 3}}.CheckDevices()
	want := "vsock: open /dev/vhost-vsock: "
	if (err == nil) != (absent == nil) || err != nil && !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want it to be told as %q… is (%v)", err, want, absent)
	}
}
