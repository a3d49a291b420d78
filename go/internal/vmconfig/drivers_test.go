package vmconfig_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/testsupport/initrdtest"
	"microvm-console/internal/vmconfig"
)

// kernelOf returns the beginning of a bzImage with a version.
func kernelOf(version string) []byte {
	head := []byte(bzImage + strings.Repeat("\x00", 0x210-len(bzImage)))
	binary.LittleEndian.PutUint16(head[0x20e:], uint16(len(head))-0x200)
	return append(head, version+" (builder@host) #1 SMP\x00"...)
}

// Lines of modules.dep.
const (
	p9Modules       = "kernel/fs/9p/9p.ko.xz:\nkernel/net/9p/9pnet_virtio.ko.xz:\n"
	virtiofsModules = "kernel/fs/fuse/virtiofs.ko:\n"
)

func TestChooseDrivers(t *testing.T) {
	const version = initrdtest.Version
	tests := []struct {
		name       string
		files      map[string]string // in a temporary directory, beside k/kernel
		modulesDir string            // in that directory; "" if none
		want       string            // the driver, or the error after "shares[1].driver: " with DIR in it
	}{
		{"9p beside the kernel", map[string]string{"k/lib/modules/V/modules.dep": p9Modules}, "", "9p"},
		{"9p in an unpacked package", map[string]string{"lib/modules/V/modules.dep": p9Modules}, "", "9p"},
		{"9p as installed by make modules_install", map[string]string{"k/modules/lib/modules/V/modules.dep": p9Modules}, "", "9p"},
		{"virtiofs only", map[string]string{"k/lib/modules/V/modules.dep": virtiofsModules}, "", "virtiofs"},
		{"both", map[string]string{"k/lib/modules/V/modules.dep": virtiofsModules + p9Modules}, "", "9p"},
		{"9p without its transport", map[string]string{"k/lib/modules/V/modules.dep": "9p.ko:\n" + virtiofsModules}, "", "virtiofs"},
		{"built in", map[string]string{
			"k/lib/modules/V/modules.dep":     "",
			"k/lib/modules/V/modules.builtin": "kernel/fs/9p/9p.ko\nkernel/net/9p/9pnet_virtio.ko\n",
		}, "", "9p"},
		{"the version among several in modulesDir", map[string]string{
			"m/V/modules.dep": virtiofsModules, "m/5.0/modules.dep": p9Modules, "k/lib/modules/V/modules.dep": p9Modules,
		}, "m", "virtiofs"},
		{"another name in modulesDir", map[string]string{"m/other/modules.dep": virtiofsModules}, "m", "virtiofs"},
		{"neither", map[string]string{"k/lib/modules/V/modules.dep": "a.ko:\n"}, "",
			"the kernel V has neither 9p nor virtiofs, by its tables in DIR/k/lib/modules/V (use another kernel, or remove shares)"},
		{"no modules", nil, "",
			"cannot be chosen: the modules of V are neither beside DIR/k/kernel nor in /lib/modules (set driver to 9p or virtiofs, or modulesDir to the lib/modules of the kernel)"},
		{"no version", map[string]string{"k/kernel": bzImage + strings.Repeat("\x00", 100)}, "",
			"cannot be chosen: DIR/k/kernel has no version in its header (set driver to 9p or virtiofs, or modulesDir to the lib/modules of the kernel)"},
		{"a version that leaves the directory", map[string]string{"k/kernel": string(kernelOf("../../x"))}, "",
			"cannot be chosen: DIR/k/kernel has no version in its header (set driver to 9p or virtiofs, or modulesDir to the lib/modules of the kernel)"},
		{"another kind of kernel", map[string]string{"k/kernel": note(18)}, "",
			"cannot be chosen: DIR/k/kernel is not a bzImage, which has its version in its header (set driver to 9p or virtiofs, or modulesDir to the lib/modules of the kernel)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			initrdtest.Write(t, filepath.Join(dir, "k/kernel"), kernelOf(version))
			for file, text := range test.files {
				initrdtest.Write(t, filepath.Join(dir, strings.ReplaceAll(file, "V", version)), []byte(text))
			}
			m := vmconfig.Machine{Kernel: filepath.Join(dir, "k/kernel"), Shares: []vmconfig.Share{{Driver: "virtiofs"}, {}}}
			if test.modulesDir != "" {
				m.ModulesDir = filepath.Join(dir, test.modulesDir)
			}
			got, err := m.ChooseDrivers()
			text := got.Shares[1].Driver
			if err != nil {
				text = strings.NewReplacer(dir, "DIR", version, "V", "shares[1].driver: ", "").Replace(err.Error())
			}
			if diff := cmp.Diff(test.want, text); diff != "" {
				t.Error(diff)
			}
			if got.Shares[0].Driver != "virtiofs" || m.Shares[1].Driver != "" {
				t.Errorf("chosen: %+v from %+v", got.Shares, m.Shares)
			}
		})
	}
}

// A VM whose shares have drivers needs no tables of its kernel.
func TestChosenDriversAreKept(t *testing.T) {
	m := vmconfig.Machine{Kernel: "/nonexistent", Shares: []vmconfig.Share{{Driver: "9p"}}}
	if got, err := m.ChooseDrivers(); err != nil || got.Shares[0].Driver != "9p" {
		t.Errorf("got %+v, %v", got.Shares, err)
	}
}

// CheckFiles refuses a kernel without a driver, so that microvm-run --check and a build do.
func TestCheckFilesChoosesDrivers(t *testing.T) {
	dir := t.TempDir()
	kernel := filepath.Join(dir, "kernel")
	initrdtest.Write(t, kernel, kernelOf("1.2.3-nosuch"))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	err = vmconfig.Machine{QEMU: self, Kernel: kernel, Shares: []vmconfig.Share{{}}}.CheckFiles()
	if got := messages(t, err); len(got) != 1 || !strings.HasPrefix(got[0], "shares[0].driver: cannot be chosen: the modules of 1.2.3-nosuch") {
		t.Errorf("got %q", got)
	}
}
