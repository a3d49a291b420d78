package initrd

import "microvm-console/internal/vmconfig"

// needs returns the drivers that the disks, shares and the network of a VM need.
func needs(m vmconfig.Machine) []string {
	var modules []string
	modules = append(modules, diskModules(m)...)
	modules = append(modules, shareModules(m)...)
	return append(modules, networkModules(m)...)
}

func diskModules(_ vmconfig.Machine) []string { return nil }

func shareModules(_ vmconfig.Machine) []string { return nil }

func networkModules(m vmconfig.Machine) []string {
	if !m.HasUserNetwork() {
		return nil
	}
	return []string{"virtio_net"}
}

// For returns the image for a VM: with the drivers that its devices need, if the kernel has
// modules, and with a login on each console that has one, unless the image lists them.
func (img Image) For(m vmconfig.Machine) Image {
	if img.ModulesDir != "" {
		img.Modules = append(img.Modules, needs(m)...)
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
