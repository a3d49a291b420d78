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

func networkModules(_ vmconfig.Machine) []string { return nil }

// For returns the image for a VM: with the drivers that its devices need, if the kernel has
// modules, and with a login on each console that has one, unless the image lists them.
func (img Image) For(m vmconfig.Machine) Image {
	if img.ModulesDir != "" {
		img.Modules = slices.Clone(img.Modules)
		for _, module := range needs(m) {
			if !slices.Contains(img.Modules, module) {
				img.Modules = append(img.Modules, module)
			}
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
