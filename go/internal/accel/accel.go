// Package accel chooses the accelerator that really works on this host.
//
// A /dev/kvm that opens is no proof: on some hosts a guest starts under it and
// hangs after a line. The only honest probe is the guest's own kernel: KVM
// works when it prints "Linux version". The verdict is remembered for as long
// as host boot, kernel and QEMU stay the same.
package accel

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"microvm-console/internal/cache"
	"microvm-console/internal/qemu"
	"microvm-console/internal/vmconfig"
)

// kvmDevice is the device that KVM is used through.
const kvmDevice = "/dev/kvm"

// Choice is an accelerator and why it was chosen.
type Choice struct {
	Accel  string // "kvm" or "tcg"
	Reason string // half a sentence for the user
}

// Choose chooses the accelerator for m. "tcg" is taken as it is; "kvm" is an
// error where KVM cannot be used; "auto" probes, which takes some seconds the
// first time.
func Choose(ctx context.Context, m vmconfig.Machine) (Choice, error) {
	return choose(ctx, m, kvmDevice)
}

// choose is Choose where KVM is used through device.
func choose(ctx context.Context, m vmconfig.Machine, device string) (Choice, error) {
	if m.Accel == "tcg" {
		return Choice{"tcg", "as asked for"}, nil
	}
	trouble := openKVM(device)
	if m.Accel == "kvm" {
		return Choice{"kvm", "as asked for"}, trouble
	}
	if trouble != nil {
		return Choice{"tcg", trouble.Error()}, nil //nolint:nilerr // the trouble is the reason
	}
	verdict, remembered, err := verdictFor(ctx, m)
	if err != nil {
		return Choice{}, err
	}
	choice := Choice{"tcg", "KVM opens, but this kernel does not start under it: " + verdict.Trouble}
	if verdict.Works {
		choice = Choice{"kvm", "this kernel starts under KVM"}
	}
	if remembered {
		choice.Reason += "; remembered"
	}
	return choice, nil
}

// verdictFor looks the verdict up, or probes and remembers it.
func verdictFor(ctx context.Context, m vmconfig.Machine) (v verdict, remembered bool, err error) {
	key, err := keyOf(m, cache.BootIDFile)
	if err != nil {
		return verdict{}, false, err
	}
	if v, ok := verdicts.Recall(key); ok {
		return v, true, nil
	}
	v, err = probe(ctx, qemu.ProbeArgs(m.QEMU, m.Kernel, qemu.Type(m, "kvm")), probeLimits)
	if err != nil {
		return verdict{}, false, err
	}
	verdicts.Remember(key, v)
	return v, false, nil
}

// openKVM opens KVM through device. Its error is the reason and the remedy.
func openKVM(device string) error {
	file, err := os.OpenFile(device, os.O_RDWR, 0)
	if err == nil {
		return file.Close()
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("no KVM here: %s does not exist (load kvm_intel or kvm_amd, switch virtualisation on in the firmware, or use --accel tcg)", device)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("no KVM for us: %s: permission denied (add this user to the group kvm, or use --accel tcg)", device)
	}
	return fmt.Errorf("no KVM here: %w (or use --accel tcg)", err)
}
