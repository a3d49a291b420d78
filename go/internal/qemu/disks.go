package qemu

import (
	"fmt"
	"strings"

	"microvm-console/internal/vmconfig"
)

// disks returns the arguments for the disks. The guest finds a disk by its serial number, since the
// order of virtio disks depends on the machine type.
func disks(m vmconfig.Machine, h Host) []string {
	device := "virtio-blk-pci"
	if h.Type == "microvm" {
		device = "virtio-blk-device" // virtio over mmio
	}
	var args []string
	for _, disk := range m.Disks {
		id := DriveID(disk)
		args = append(args,
			"-drive", drive(disk, h),
			"-device", fmt.Sprintf("%s,drive=%s,serial=%s", device, id, disk.SerialNumber()),
		)
	}
	return args
}

// DriveID returns QEMU's name of a disk.
func DriveID(disk vmconfig.Disk) string { return "disk-" + disk.Name }

// drive returns the value of -drive for a disk. QEMU itself distinguishes files from block devices.
// Blocks that the guest discards are freed on the host.
func drive(disk vmconfig.Disk, h Host) string {
	path := disk.Path
	if path == "" {
		path = h.OwnDisk(disk)
	}
	if before, _, colon := strings.Cut(path, ":"); colon && !strings.Contains(before, "/") {
		path = "./" + path // QEMU would take the word before the colon for a protocol
	}
	value := fmt.Sprintf("if=none,id=%s,format=%s,discard=unmap", DriveID(disk), disk.ImageFormat())
	if disk.ReadOnly {
		value += ",readonly=on"
	}
	if disk.Snapshot {
		value += ",snapshot=on"
	}
	return value + ",file=" + escaped(path)
}

// diskParams returns the kernel parameters that our guest image reads:
// "microvm.disk=SERIAL,FS,TARGET,rw" or "…,ro" for each disk with a target.
func diskParams(m vmconfig.Machine) []string {
	var params []string
	for _, disk := range m.Disks {
		if disk.Target == "" {
			continue
		}
		mode := "rw"
		if disk.ReadOnly {
			mode = "ro"
		}
		params = append(params, "microvm.disk="+strings.Join([]string{disk.SerialNumber(), disk.FS, disk.Target, mode}, ","))
	}
	return params
}
