package initrd

import (
	"slices"

	"microvm-console/internal/vmconfig"
)

// needs returns the drivers that the disks, shares and the network of a VM need.
func needs(m vmconfig.Machine) []string {
	var modules []string
	modules = append(modules, diskModules(m)...)
	modules = append(modules, shareModules(m)...)
	return append(modules, networkModules(m)...)
}

// diskModules returns the drivers of the disks and of the file systems on them.
func diskModules(m vmconfig.Machine) []string {
	var modules []string
	for _, disk := range m.Disks {
		modules = append(modules, "virtio_blk")
		if disk.FS != "" {
			modules = append(modules, fileSystemModule(disk.FS))
		}
	}
	return modules
}

// fileSystemModule returns the name of the module with a file system.
func fileSystemModule(fs string) string {
	switch fs {
	case "ext2", "ext3":
		return "ext4"
	case "iso9660":
		return "isofs"
	}
	return fs
}

// shareModules returns the drivers of the shares, which must be known.
func shareModules(m vmconfig.Machine) []string {
	var modules []string
	for _, share := range m.Shares {
		modules = append(modules, vmconfig.DriverModules(share.Driver)...)
	}
	return modules
}

func networkModules(m vmconfig.Machine) []string {
	if !m.HasUserNetwork() {
		return nil
	}
	return []string{"virtio_net"}
}

// collectModules are the drivers by which the guest of a VM that collects reports a panic, and
// gives QEMU the note that drgn needs in a memory dump. Not every kernel has them.
var collectModules = []string{"pvpanic_mmio", "pvpanic_pci", "qemu_fw_cfg"}

// For returns the image for a VM: with the drivers that its devices need, if the kernel has
// modules, and with a login on each console that has one, unless the image lists them.
func (img Image) For(m vmconfig.Machine) Image {
	if img.ModulesDir != "" {
		img.Modules = with(img.Modules, needs(m))
		if m.Collect {
			img.OptionalModules = with(img.OptionalModules, collectModules)
		}
	}
	if img.Gettys == nil {
		for _, console := range m.Consoles {
			if console.HasLogin() {
				img.Gettys = append(img.Gettys, console.Device)
			}
		}
	}
	return img
}

// with returns modules with those of more that are not among them.
func with(modules, more []string) []string {
	modules = slices.Clone(modules)
	for _, module := range more {
		if !slices.Contains(modules, module) {
			modules = append(modules, module)
		}
	}
	return modules
}
