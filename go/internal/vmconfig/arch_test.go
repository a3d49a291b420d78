package vmconfig_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/vmconfig"
)

// The architecture follows from arch, or else from the name of QEMU's program. The defaults follow
// from it.
func TestArchitecture(t *testing.T) {
	for _, test := range []struct{ text, arch, qemu, uart string }{
		{`"vcpus": 1`, "x86_64", "qemu-system-x86_64", "ttyS0"},
		{`"arch": "x86_64"`, "x86_64", "qemu-system-x86_64", "ttyS0"},
		{`"arch": "aarch64"`, "aarch64", "qemu-system-aarch64", "ttyAMA0"},
		{`"qemu": "/opt/qemu-system-aarch64"`, "aarch64", "/opt/qemu-system-aarch64", "ttyAMA0"},
		{`"qemu": "my-qemu"`, "x86_64", "my-qemu", "ttyS0"},
		{`"qemu": "my-qemu", "arch": "aarch64"`, "aarch64", "my-qemu", "ttyAMA0"},
	} {
		m, err := vmconfig.Parse([]byte(`{"name": "m", "kernel": "k", ` + test.text + `}`))
		got := []string{m.Architecture().Name, m.QEMU, m.Consoles[0].Device}
		if diff := cmp.Diff([]string{test.arch, test.qemu, test.uart}, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", test.text, err, diff)
		}
	}
}

func TestMistakesInArchitectures(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"unknown", `"kernel": "k", "arch": "arm64"`, []string{`arch: unknown architecture "arm64" (choose x86_64, aarch64)`}},
		{"another QEMU", `"kernel": "k", "arch": "aarch64", "qemu": "qemu-system-x86_64"`, []string{
			`qemu: "qemu-system-x86_64" emulates x86_64, and arch is aarch64 (change one of the two)`,
		}},
		{"what is x86", `"arch": "aarch64", "machine": "q35", "image": {"path": "i"}, "consoles": [
			{"name": "a", "device": "ttyS0", "port": 1}, {"name": "b", "device": "debugcon", "port": 2}]`, []string{
			`machine: unknown machine type "q35" (choose auto, virt)`,
			"image: is not supported for aarch64 (use kernel)",
			`consoles[0].device: unknown device "ttyS0": want ttyAMA0, or hvc0 to hvc7`,
			`consoles[1].device: unknown device "debugcon": want ttyAMA0, or hvc0 to hvc7`,
		}},
		{"what is aarch64", `"kernel": "k", "machine": "virt", "consoles": [{"name": "a", "device": "ttyAMA0", "port": 1}]`, []string{
			`machine: unknown machine type "virt" (choose auto, q35, microvm)`,
			`consoles[0].device: unknown device "ttyAMA0": want ttyS0 to ttyS3, hvc0 to hvc7, or debugcon`,
		}},
		{"no kernel", `"arch": "aarch64"`, []string{"kernel: is missing (set it to the path of an Image for arm64)"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := vmconfig.Parse([]byte(`{"name": "m", ` + test.text + `}`))
			if diff := cmp.Diff(test.want, messages(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestKernelsForArm64(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kernel")
	for _, test := range []struct {
		name, text string
		kernel     bool
	}{
		{"an Image", at(64, map[int]string{56: "ARM\x64"}), true},
		{"an Image that gzip has compressed", at(64, map[int]string{0: "\x1f\x8b\x08"}), true},
		{"an EFI zboot file", at(64, map[int]string{0: "MZ", 4: "zimg"}), true},
		{"a bzImage", bzImage, false},
		{"another EFI file", at(64, map[int]string{0: "MZ"}), false},
		{"nothing", "", false},
	} {
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		m := vmconfig.Machine{Arch: "aarch64", QEMU: "/bin/sh", Kernel: path}
		boot, err := m.Boot()
		want := "kernel: " + path + " is not a kernel for arm64 (set kernel to the path of an Image for arm64)"
		if (err == nil) != test.kernel || err != nil && !strings.HasPrefix(err.Error(), want) || !boot.Linux() {
			t.Errorf("%s: %+v, %v", test.name, boot, err)
		}
	}
}
