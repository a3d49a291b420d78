package kmodules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"microvm-console/internal/testsupport/initrdtest"
)

func TestLoadOrder(t *testing.T) {
	dir := initrdtest.Modules(t, t.TempDir(), initrdtest.Virtio...)
	initrdtest.Write(t, dir+"/"+initrdtest.Version+"/modules.builtin", []byte("kernel/evdev.ko\nkernel/input-leds.ko\n"))
	tests := []struct {
		name            string
		names, optional []string
		want            string // base names without .ko
	}{
		{"nothing", nil, nil, ""},
		{"no dependencies", []string{"button"}, nil, "button"},
		{"dependencies first", []string{"virtio_console"}, nil, "virtio_ring virtio virtio_console"},
		{"transports, then the console", []string{"virtio_pci", "virtio_mmio", "virtio_console"}, nil,
			"virtio_ring virtio virtio_pci_modern_dev virtio_pci virtio_mmio virtio_console"},
		{"each once", []string{"virtio_console", "virtio", "virtio_console"}, nil, "virtio_ring virtio virtio_console"},
		{"a hyphen is an underscore", []string{"virtio-console"}, nil, "virtio_ring virtio virtio_console"},
		{"a hyphen in the file's name", []string{"virtio_rng"}, nil, "virtio_ring virtio virtio-rng"},
		{"built in", []string{"evdev", "input_leds", "button"}, nil, "button"},
		{"optional, present", []string{"button"}, []string{"virtio"}, "button virtio_ring virtio"},
		{"optional, absent", []string{"button"}, []string{"nosuch"}, "button"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tree, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			order, err := tree.LoadOrder(test.names, test.optional)
			if err != nil {
				t.Fatal(err)
			}
			for i, file := range order {
				order[i] = strings.TrimSuffix(file[strings.LastIndex(file, "/")+1:], ".ko")
			}
			if diff := cmp.Diff(strings.Fields(test.want), order, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The checksum of a file system is a soft dependency, by an alias; the modules of another one come
// after, or are absent.
func TestLoadOrderOfSoftDependencies(t *testing.T) {
	dir := initrdtest.Modules(t, t.TempDir(), "fs/ext4.ko: fs/jbd2.ko", "fs/jbd2.ko:", "crypto/crc32c-intel.ko: crypto/hash.ko",
		"crypto/hash.ko:", "crypto/crc32c_generic.ko:", "vfio.ko:", "vfio_type1.ko: vfio.ko", "a.ko:", "b.ko:")
	version := dir + "/" + initrdtest.Version
	initrdtest.Write(t, version+"/modules.softdep", []byte(`# Soft dependencies extracted from modules themselves.
softdep ext4 pre: crc32c nosuch
softdep vfio post: vfio_type1
softdep a pre: b
softdep b pre: a
`))
	initrdtest.Write(t, version+"/modules.alias", []byte(`alias crc32c crc32c_intel
alias crc32c crc32c_generic
alias nosuch builtin
alias pci:v* a
`))
	tree, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for names, want := range map[string]string{
		"ext4": "fs/jbd2.ko crypto/hash.ko crypto/crc32c-intel.ko crypto/crc32c_generic.ko fs/ext4.ko",
		"vfio": "vfio.ko",
		"a":    "b.ko a.ko",
	} {
		order, err := tree.LoadOrder(strings.Fields(names), nil)
		if got := strings.Join(order, " "); got != want || err != nil {
			t.Errorf("%s: got %q, want %q; %v", names, got, want, err)
		}
	}
}

func TestLoadOrderErrors(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		names []string
		want  []string
	}{
		{"unknown modules", initrdtest.Virtio, []string{"nosuch", "button", "other"},
			[]string{`module "nosuch": not in DIR`, `module "other": not in DIR`}},
		{"a dependency without a line", []string{"a.ko: b.ko"}, []string{"a"},
			[]string{`module "b": needed, but not in modules.dep`}},
		{"a cycle", []string{"a.ko: b.ko", "b.ko: a.ko"}, []string{"a"},
			[]string{`module "a": depends on itself`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := initrdtest.Modules(t, t.TempDir(), test.lines...)
			tree, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			_, err = tree.LoadOrder(test.names, nil)
			if diff := cmp.Diff(test.want, initrdtest.Mistakes(err, tree.Dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
