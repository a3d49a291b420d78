package vmconfig

import (
	"errors"

	"microvm-console/internal/strictjson"
)

// Boot is what a machine starts, as its files show. The zero value is a Linux kernel.
type Boot struct {
	// Multiboot is set for a kernel with a Multiboot header that is not Linux.
	Multiboot bool
	// Format is the format of an image for QEMU, "raw" or "qcow2"; "" if there is a kernel.
	Format string
	// Interface is how an image is attached: "virtio", "sata", "floppy" or "cd".
	Interface string
}

// Linux reports whether QEMU starts a Linux kernel.
func (b Boot) Linux() bool { return !b.Multiboot && b.Format == "" }

// Boot reads the files of the machine, and returns what it starts. Its error is a
// *strictjson.Mistake if a file cannot be started.
func (m Machine) Boot() (Boot, error) {
	if m.Image != nil {
		return m.Image.boot()
	}
	arch := m.Architecture()
	multiboot, err := arch.kernel(m.Kernel)
	switch {
	case errors.Is(err, errELF64):
		return Boot{}, strictjson.Mistakef("kernel", "%w", err)
	case err != nil:
		return Boot{}, strictjson.Mistakef("kernel", "%w (set kernel to the path of %s)", err, arch.kernelKind)
	}
	return Boot{Multiboot: multiboot}, nil
}
