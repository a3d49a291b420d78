package accel

import (
	"os"

	"golang.org/x/sys/unix"

	"microvm-console/internal/vmconfig"
)

// noKernel is the choice if there is no kernel to probe KVM with.
var noKernel = Choice{
	Accel: "tcg", Trouble: "KVM cannot be tried (set accel to kvm to use it)",
	Reason: "KVM cannot be tried, because the kernel of this host cannot be read (set accel to kvm to use it)",
}

// hostKernels returns where distributions keep the kernel that this host runs.
func hostKernels() []string {
	paths := []string{"/run/booted-system/kernel"} // NixOS
	var host unix.Utsname
	if unix.Uname(&host) == nil {
		release := unix.ByteSliceToString(host.Release[:])
		paths = append(paths, "/boot/vmlinuz-"+release, "/lib/modules/"+release+"/vmlinuz")
	}
	return paths
}

// firstReadable returns the first path that can be opened; "" if there is none.
func firstReadable(paths []string) string {
	for _, path := range paths {
		if file, err := os.Open(path); err == nil {
			file.Close()
			return path
		}
	}
	return ""
}

// withKernel returns m with another kernel, on the machine type of a guest that is not Linux.
func withKernel(m vmconfig.Machine, kernel string) vmconfig.Machine {
	m.Kernel, m.Image = kernel, nil
	if m.Type == "auto" {
		m.Type = "q35"
	}
	return m
}
