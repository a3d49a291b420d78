package qemu

import "microvm-console/internal/vmconfig"

// disks returns the arguments for the disks.
func disks(_ vmconfig.Machine, _ Host) []string { return nil }

// diskParams returns the kernel parameters that our guest image reads: "microvm.disk=SERIAL,FS,TARGET,rw" or "…,ro" for each disk with a target.
func diskParams(_ vmconfig.Machine) []string { return nil }
