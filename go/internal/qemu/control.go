package qemu

import (
	"fmt"

	"microvm-console/internal/vmconfig"
)

// Control is what the process that starts QEMU adds to Args for itself. All of
// it is inherited descriptors, so that nothing has to be found, made or cleaned
// up on disk.
//
// qmp is the number of a connected stream socket for the monitor protocol.
// taps are the numbers of pipes, one for each console in the order of
// m.Consoles or none at all, to which QEMU writes a copy of what the console prints. A byte
// may be repeated there when a client is slow (QEMU writes its log again on
// each try): good for telling what happened last, no record.
func Control(m vmconfig.Machine, qmp int, taps []int) []string {
	args := Monitor("qmp", qmp)
	for i := range taps {
		console := m.Consoles[i]
		args = append(args,
			"-add-fd", fmt.Sprintf("set=%d,fd=%d", i+1, taps[i]),
			"-set", fmt.Sprintf("chardev.%s.logfile=/dev/fdset/%d", ChardevID(console), i+1),
			// A pipe cannot be truncated.
			"-set", fmt.Sprintf("chardev.%s.logappend=on", ChardevID(console)))
	}
	return args
}

// Monitor is a monitor for programs (QMP) on a connected stream socket that QEMU
// inherits as descriptor fd. id names its character device.
func Monitor(id string, fd int) []string {
	return []string{
		"-chardev", fmt.Sprintf("socket,id=%s,fd=%d", id, fd),
		"-qmp", "chardev:" + id, // -mon is deprecated since QEMU 11.1
	}
}

// ProbeArgs is a QEMU that only shows whether kernel starts under KVM: one
// UART on stdout, no initramfs, no disk. The kernel prints its first line and,
// finding no root, panics and restarts, which ends QEMU.
func ProbeArgs(qemu, kernel, kind string) []string {
	return []string{qemu,
		"-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
		"-machine", machine(kind), "-accel", "kvm", "-cpu", cpu("kvm"), "-m", "256M",
		"-kernel", kernel, "-append", "console=ttyS0,115200 earlyprintk=ttyS0,115200 panic=-1",
		"-serial", "stdio",
	}
}
