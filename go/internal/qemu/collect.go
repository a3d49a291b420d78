package qemu

import "microvm-console/internal/vmconfig"

// collect returns the device by which Linux gives QEMU its VMCOREINFO note, for a machine whose
// memory may be dumped. drgn, and crash for a kernel at a random address, need the note. Linux
// writes it with the driver qemu_fw_cfg (CONFIG_FW_CFG_SYSFS).
func collect(m vmconfig.Machine) []string {
	if !m.Collect {
		return nil
	}
	return []string{"-device", "vmcoreinfo"}
}

// collectParams returns the kernel parameters of a machine that collects: by default, Debian's
// kernels refuse the SysRq keys that show tasks and memory.
func collectParams(m vmconfig.Machine) []string {
	if !m.Collect {
		return nil
	}
	return []string{"sysrq_always_enabled"}
}

// keep returns the arguments with which QEMU pauses the guest, with its memory, at a panic, a
// restart and a power-off, instead of ending or restarting it. The process that starts
// QEMU continues a guest that restarts, and ends QEMU after the others.
func keep(m vmconfig.Machine) []string {
	if !m.Collect {
		return nil
	}
	return []string{"-action", "panic=pause,reboot=shutdown,shutdown=pause"}
}
