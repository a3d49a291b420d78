// Package accel chooses the accelerator that works on this host.
//
// That /dev/kvm can be opened proves nothing: on some hosts a guest starts under KVM and
// hangs after one line. The only reliable probe is the guest's own kernel: KVM works if the
// kernel prints "Linux version". The result is cached until the host's boot, the kernel or
// QEMU changes. For a guest that is not Linux, the probe starts the host's own kernel.
package accel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"microvm-console/internal/cache"
	"microvm-console/internal/qemu"
	"microvm-console/internal/vmconfig"
)

// kvmDevice is the path of KVM's device.
const kvmDevice = "/dev/kvm"

// Choice is an accelerator and why it was chosen.
type Choice struct {
	// Accel is "kvm" or "tcg".
	Accel string
	// Trouble is why KVM is not used, in a few words: "no /dev/kvm". It is empty if KVM is
	// used, or if TCG was asked for.
	Trouble string
	// Reason is why Accel was chosen, in full: "asked for".
	Reason string
}

// Summary returns the choice in one short line, with the machine type of the VM:
// "emulated (TCG), q35: no /dev/kvm", "KVM, microvm".
func (c Choice) Summary(machineType string) string {
	if c.Accel == "kvm" {
		return "KVM, " + machineType
	}
	line := "emulated (TCG), " + machineType
	if c.Trouble != "" {
		line += ": " + c.Trouble
	}
	return line
}

// Choose chooses the accelerator for m, which starts boot. It returns "tcg" and "kvm" unchanged,
// "kvm" with an error if KVM's device cannot be opened. For "auto" it probes KVM, which takes a
// few seconds the first time.
func Choose(ctx context.Context, m vmconfig.Machine, boot vmconfig.Boot) (Choice, error) {
	if arch := m.Architecture(); arch.GOARCH != runtime.GOARCH {
		return foreign(m, arch)
	}
	if boot.Linux() {
		return choose(ctx, m, "this kernel", kvmDevice)
	}
	return choose(ctx, withKernel(m, firstReadable(hostKernels())), "the host's kernel", kvmDevice)
}

// foreign is Choose for a guest of another architecture than this host, which KVM does not run.
func foreign(m vmconfig.Machine, arch vmconfig.Arch) (Choice, error) {
	trouble := "KVM runs no " + arch.Name + " guest on this host"
	switch m.Accel {
	case "kvm":
		return Choice{}, fmt.Errorf("accel: %s (set accel to tcg or auto)", trouble)
	case "tcg":
		return Choice{Accel: "tcg", Reason: "asked for"}, nil
	}
	return Choice{Accel: "tcg", Trouble: trouble, Reason: trouble}, nil
}

// choose is Choose for a Linux kernel, of which name is the name in Choice.Reason, with the path
// of KVM's device. Without a kernel it chooses TCG.
func choose(ctx context.Context, m vmconfig.Machine, name, device string) (Choice, error) {
	if m.Accel == "tcg" {
		return Choice{Accel: "tcg", Reason: "asked for"}, nil
	}
	err := openKVM(device)
	if m.Accel == "kvm" {
		return Choice{Accel: "kvm", Reason: "asked for"}, err
	}
	var unusable *deviceError
	if errors.As(err, &unusable) {
		return Choice{Accel: "tcg", Trouble: unusable.summary(), Reason: unusable.Error()}, nil
	}
	if m.Kernel == "" {
		return noKernel, nil
	}
	result, cached, err := probed(ctx, m)
	if err != nil {
		return Choice{}, err
	}
	choice := Choice{Accel: "kvm", Reason: name + " starts under KVM"}
	if !result.Works {
		choice = Choice{Accel: "tcg", Trouble: "KVM does not work here", Reason: name + " does not start under KVM: " + result.Trouble}
	}
	if cached {
		choice.Reason += " (cached)"
	}
	return choice, nil
}

// probed returns the cached result for m, or probes and caches the result.
func probed(ctx context.Context, m vmconfig.Machine) (r result, cached bool, err error) {
	key, err := cacheKey(m, cache.BootIDFile)
	if err != nil {
		return result{}, false, err
	}
	if r, ok := results.Recall(key); ok {
		return r, true, nil
	}
	r, err = probe(ctx, qemu.ProbeArgs(m.QEMU, m.Kernel, qemu.Type(m, vmconfig.Boot{}, "kvm")), probeLimits)
	if err != nil {
		return result{}, false, err
	}
	results.Remember(key, r)
	return r, false, nil
}

// openKVM opens KVM's device and closes it again. Its error is a *deviceError.
func openKVM(device string) error {
	file, err := os.OpenFile(device, os.O_RDWR, 0)
	if err == nil {
		file.Close()
		return nil
	}
	cause := err
	var path *fs.PathError
	if errors.As(err, &path) {
		cause = path.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &deviceError{err, "no " + device, "load kvm_intel or kvm_amd, enable virtualization in the firmware, or use --accel tcg"}
	case errors.Is(err, unix.EACCES):
		return &deviceError{err, device + ": permission denied", "add yourself to the group kvm"}
	}
	return &deviceError{err, fmt.Sprintf("%s: %v", device, cause), "use --accel tcg"}
}

// deviceError is returned if KVM's device cannot be opened.
type deviceError struct {
	err     error
	trouble string // what is wrong: "no /dev/kvm"
	remedy  string
}

func (e *deviceError) Error() string { return e.trouble + " (" + e.remedy + ")" }
func (e *deviceError) Unwrap() error { return e.err }

// summary returns what is wrong in a few words, with the remedy if it is a short one.
func (e *deviceError) summary() string {
	if errors.Is(e.err, unix.EACCES) {
		return e.Error()
	}
	return e.trouble
}
