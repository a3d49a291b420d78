package hostroot

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// HostKernel returns the path of the kernel that runs on this host.
func HostKernel() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	return hostKernel(kernelPlaces(unix.ByteSliceToString(name.Release[:])))
}

// kernelPlaces returns where distributions install the kernel of a version.
func kernelPlaces(version string) []string {
	return []string{
		"/boot/vmlinuz-" + version,
		"/lib/modules/" + version + "/vmlinuz",
		"/usr/lib/modules/" + version + "/vmlinuz",
		"/run/booted-system/kernel", // NixOS
		"/run/current-system/kernel",
	}
}

// hostKernel returns the first of places that can be read.
func hostKernel(places []string) (string, error) {
	for _, path := range places {
		file, err := os.Open(path)
		switch {
		case err == nil:
			file.Close()
			return path, nil
		case errors.Is(err, os.ErrPermission):
			return "", fmt.Errorf("the host's kernel: %w (let this user read it, or choose a kernel with --kernel)", err)
		}
	}
	return "", fmt.Errorf("the host's kernel: none of %s exists (choose a kernel with --kernel)", strings.Join(places, ", "))
}
