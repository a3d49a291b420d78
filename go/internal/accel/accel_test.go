package accel

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/vmconfig"
)

// host returns a machine whose QEMU behaves as the word says, an empty cache, and a KVM device
// that can be opened. probes returns how many probes were made.
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
	const works, fails = "prints", "exits"
	tests := []struct {
		name, accel, qemu string
		want              Choice
		summary           string
	}{
		{"tcg", "tcg", works, Choice{Accel: "tcg", Reason: "asked for"}, "emulated (TCG), q35"},
		{"kvm without a probe", "kvm", fails, Choice{Accel: "kvm", Reason: "asked for"}, "KVM, q35"},
		{"auto, KVM works", "auto", works, Choice{Accel: "kvm", Reason: "this kernel starts under KVM"}, "KVM, q35"},
		{
			"auto, KVM can only be opened", "auto", fails,
			Choice{"tcg", "KVM does not work here", "this kernel does not start under KVM: QEMU ended with status 3"},
			"emulated (TCG), q35: KVM does not work here",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, device, _ := host(t, test.qemu)
			m.Accel = test.accel
			got, err := choose(t.Context(), m, "this kernel", device)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.summary, got.Summary("q35")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestChooseWithoutKVM(t *testing.T) {
	m, device, probes := host(t, "prints")
	if err := os.Remove(device); err != nil {
		t.Fatal(err)
	}
	reason := "no " + device + " (load kvm_intel or kvm_amd, enable virtualization in the firmware, or use --accel tcg)"
	got, err := choose(t.Context(), m, "this kernel", device)
	if diff := cmp.Diff(Choice{"tcg", "no " + device, reason}, got); diff != "" || err != nil {
		t.Error("auto:", diff, err)
	}
	m.Accel = "kvm"
	if _, err := choose(t.Context(), m, "this kernel", device); err == nil || err.Error() != reason {
		t.Errorf("kvm: %v", err)
	}
	if n := probes(); n != 0 {
		t.Errorf("%d probes were made", n)
	}
}

func TestOpenKVM(t *testing.T) {
	dir := t.TempDir() // cannot be opened for writing, not even by root
	var unusable *deviceError
	if err := openKVM(dir); !errors.As(err, &unusable) || unusable.summary() != unusable.trouble || !strings.HasPrefix(unusable.trouble, dir+": ") {
		t.Errorf("a directory: %v", err)
	}
	closed := filepath.Join(t.TempDir(), "kvm")
	if err := os.WriteFile(closed, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	err := openKVM(closed)
	if os.Getuid() == 0 {
		return // root may open it
	}
	want := closed + ": permission denied (add yourself to the group kvm)"
	if !errors.As(err, &unusable) || err.Error() != want || unusable.summary() != want {
		t.Errorf("a file without write permission: %v", err)
	}
}

func TestChooseWithoutQEMU(t *testing.T) {
	m, device, _ := host(t, "prints")
	m.QEMU = "/none"
	if _, err := choose(t.Context(), m, "this kernel", device); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// A guest that is not Linux is probed with the kernel of the host. Without one, TCG is chosen.
func TestChooseForAnotherSystem(t *testing.T) {
	m, device, probes := host(t, "prints")
	m.Image = &vmconfig.Image{Path: "disk"}
	kernel := m.Kernel
	for _, test := range []struct {
		kernels []string
		want    Choice
		probes  int
	}{
		{[]string{"/none", t.TempDir() + "/none"}, noKernel, 0},
		{[]string{"/none", kernel}, Choice{Accel: "kvm", Reason: "the host's kernel starts under KVM"}, 1},
	} {
		got, err := choose(t.Context(), withKernel(m, firstReadable(test.kernels)), "the host's kernel", device)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if n := probes(); n != test.probes {
			t.Errorf("%d probes, want %d", n, test.probes)
		}
	}
}

// KVM runs only guests of the host's architecture. Nothing is probed for others.
func TestChooseForAnotherArchitecture(t *testing.T) {
	m, _, probes := host(t, "prints")
	m.Arch = "aarch64"
	if runtime.GOARCH == "arm64" {
		m.Arch = "x86_64"
	}
	trouble := "KVM runs no " + m.Arch + " guest on this host"
	for accel, want := range map[string]Choice{
		"auto": {Accel: "tcg", Trouble: trouble, Reason: trouble},
		"tcg":  {Accel: "tcg", Reason: "asked for"},
		"kvm":  {},
	} {
		m.Accel = accel
		got, err := Choose(t.Context(), m, vmconfig.Boot{})
		if diff := cmp.Diff(want, got); diff != "" || (err != nil) != (accel == "kvm") {
			t.Error(accel, diff, err)
		}
	}
	if n := probes(); n != 0 {
		t.Errorf("%d probes were made", n)
	}
}
