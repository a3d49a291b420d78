package qemu

import "microvm-console/internal/vmconfig"

// shares returns the arguments for the shared directories.
func shares(_ vmconfig.Machine, _ Host) []string { return nil }

// shareParams returns the kernel parameters that our guest image reads: "microvm.share=TAG,DRIVER,TARGET,rw" or "…,ro" for each share.
func shareParams(_ vmconfig.Machine, _ Host) []string { return nil }
