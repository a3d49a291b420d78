package vmconfig

import (
	"path/filepath"
	"slices"
	"strings"
)

// Arch is an architecture of guests: what differs between them.
type Arch struct {
	// Name is QEMU's name of the architecture.
	Name string
	// GOARCH is Go's name of the architecture.
	GOARCH string
	// Types are QEMU's machine types, besides "auto".
	Types []string
	// UARTs are the devices of serial ports, as the guest's kernel names them.
	UARTs []string
	// PC is whether the machine has a BIOS, which starts an image, and a debugcon.
	PC bool

	// kernel returns an error unless QEMU can start the kernel at path, and reports whether it
	// does so by Multiboot.
	kernel func(path string) (multiboot bool, err error)
	// kernelKind is what kernel accepts, for messages.
	kernelKind string
}

// arches are the architectures. The first is the default.
var arches = []Arch{
	{
		Name: "x86_64", GOARCH: "amd64", Types: []string{"q35", "microvm"},
		UARTs: []string{"ttyS0", "ttyS1", "ttyS2", "ttyS3"}, PC: true,
		kernel: checkKernel, kernelKind: "a bzImage",
	},
	{
		Name: "aarch64", GOARCH: "arm64", Types: []string{"virt"},
		UARTs:  []string{"ttyAMA0"},
		kernel: checkArm64Kernel, kernelKind: "an Image for arm64",
	},
}

// archNames returns the names of the architectures.
func archNames() []string {
	var names []string
	for _, arch := range arches {
		names = append(names, arch.Name)
	}
	return names
}

// Architecture returns the architecture of the guest: that of the field arch, or that in the name
// of the QEMU program, or else the default.
func (m Machine) Architecture() Arch {
	for _, name := range []string{m.Arch, archOf(m.QEMU)} {
		if i := slices.IndexFunc(arches, func(a Arch) bool { return a.Name == name }); i >= 0 {
			return arches[i]
		}
	}
	return arches[0]
}

// archOf returns the architecture in the name of a QEMU program; "" if there is none.
func archOf(program string) string {
	_, arch, _ := strings.Cut(filepath.Base(program), "qemu-system-")
	return arch
}

// fillQEMU sets the default of QEMU.
func (m *Machine) fillQEMU() {
	if m.QEMU == "" {
		m.QEMU = "qemu-system-" + m.Architecture().Name
	}
}

// validateArch validates the architecture, and that the machine type and QEMU match it.
func (m Machine) validateArch(wrong func(field, format string, args ...any)) {
	arch := m.Architecture()
	if m.Arch != "" && m.Arch != arch.Name {
		wrong("arch", "unknown architecture %q (choose %s)", m.Arch, strings.Join(archNames(), ", "))
	}
	if other := archOf(m.QEMU); slices.Contains(archNames(), other) && other != arch.Name {
		wrong("qemu", "%q emulates %s, and arch is %s (change one of the two)", m.QEMU, other, arch.Name)
	}
	if types := append([]string{"auto"}, arch.Types...); !slices.Contains(types, m.Type) {
		wrong("machine", "unknown machine type %q (choose %s)", m.Type, strings.Join(types, ", "))
	}
	if m.Image != nil && !arch.PC {
		wrong("image", "is not supported for %s (use kernel)", arch.Name)
	}
}

// devices returns the names of the consoles' devices, for messages.
func (a Arch) devices() string {
	uarts := a.UARTs[0]
	if len(a.UARTs) > 1 {
		uarts += " to " + a.UARTs[len(a.UARTs)-1]
	}
	if a.PC {
		return uarts + ", hvc0 to hvc7, or debugcon"
	}
	return uarts + ", or hvc0 to hvc7"
}

// hasDevice reports whether a console can have a device.
func (a Arch) hasDevice(device string) bool {
	return slices.Contains(a.UARTs, device) || virtioPattern.MatchString(device) || a.PC && device == debugcon
}
