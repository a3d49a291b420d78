package accel

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/vmconfig"
)

// host is a machine on a QEMU that behaves as word says, with a memory that is
// empty and a KVM device that opens. probes counts the probes.
func host(t *testing.T, word string) (m vmconfig.Machine, device string, probes func() int) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	m = vmconfig.Machine{Type: "auto", Accel: "auto", QEMU: fake(t, word)[0], Kernel: filepath.Join(dir, "kernel")}
	device = filepath.Join(dir, "kvm")
	for _, path := range []string{m.Kernel, device} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return m, device, func() int { return len(started(t)) }
}

func TestChoose(t *testing.T) {
	const works, fails = "speaks", "ends"
	tests := []struct {
		name, accel, qemu string
		want              Choice
	}{
		{"tcg", "tcg", works, Choice{"tcg", "as asked for"}},
		{"kvm is not doubted", "kvm", fails, Choice{"kvm", "as asked for"}},
		{"auto, KVM works", "auto", works, Choice{"kvm", "this kernel starts under KVM"}},
		{"auto, KVM opens only", "auto", fails, Choice{"tcg", "KVM opens, but this kernel does not start under it: QEMU ended with status 3"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, device, _ := host(t, test.qemu)
			m.Accel = test.accel
			got, err := choose(t.Context(), m, device)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestChooseWithoutKVM(t *testing.T) {
	m, device, probes := host(t, "speaks")
	if err := os.Remove(device); err != nil {
		t.Fatal(err)
	}
	missing := "no KVM here: " + device + " does not exist (load kvm_intel or kvm_amd, switch virtualisation on in the firmware, or use --accel tcg)"
	got, err := choose(t.Context(), m, device)
	if diff := cmp.Diff(Choice{"tcg", missing}, got); diff != "" || err != nil {
		t.Error("auto:", diff, err)
	}
	m.Accel = "kvm"
	if _, err := choose(t.Context(), m, device); err == nil || err.Error() != missing {
		t.Errorf("kvm: %v", err)
	}
	if n := probes(); n != 0 {
		t.Errorf("%d probes were made", n)
	}
}

func TestOpenKVMTellsWhatStandsInTheWay(t *testing.T) {
	// A folder cannot be opened for writing, not even by root.
	if err := openKVM(t.TempDir()); err == nil || !strings.HasPrefix(err.Error(), "no KVM here: ") {
		t.Errorf("a folder: %v", err)
	}
	closed := filepath.Join(t.TempDir(), "kvm")
	if err := os.WriteFile(closed, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	err := openKVM(closed)
	if os.Getuid() == 0 {
		return // root may open it
	}
	if want := "no KVM for us: " + closed + ": permission denied (add this user to the group kvm, or use --accel tcg)"; err == nil || err.Error() != want {
		t.Errorf("a closed one: %v", err)
	}
}

func TestChooseWithoutAProbe(t *testing.T) {
	m, device, _ := host(t, "speaks")
	m.QEMU = "/none"
	if _, err := choose(t.Context(), m, device); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("QEMU is missing: %v", err)
	}
}
