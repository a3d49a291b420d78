package qemu

import "microvm-console/internal/vmconfig"

// network returns the arguments for the network.
func network(_ vmconfig.Machine, _ Host) []string { return nil }

// networkParams returns the kernel parameters that our guest image reads: "microvm.network=user" if there is a network.
func networkParams(_ vmconfig.Machine) []string { return nil }
