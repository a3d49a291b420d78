package qemu

import (
	"fmt"

	"microvm-console/internal/vmconfig"
)

// Control returns the arguments that follow Args in the process that starts QEMU. They use
// inherited descriptors only, so that no files must be created or removed.
//
// qmp is the descriptor of a connected stream socket for the monitor protocol. taps are the
// descriptors of pipes to which QEMU copies the output of the consoles, one for each console in
// the order of m.Consoles; may be empty. If a client is slow, bytes in the copy may be repeated,
// since QEMU logs each attempt to write. So it shows the last output, but is not a record.
func Control(m vmconfig.Machine, qmp int, taps []int) []string {
	args := append(Monitor("qmp", qmp), keep(m)...)
	for i := range taps {
		console := m.Consoles[i]
		args = append(args,
			"-add-fd", fmt.Sprintf("set=%d,fd=%d", i+1, taps[i]),
			"-set", fmt.Sprintf("chardev.%s.logfile=/dev/fdset/%d", ChardevID(console), i+1),
			// by default QEMU truncates the log, which fails for a pipe
			"-set", fmt.Sprintf("chardev.%s.logappend=on", ChardevID(console)))
	}
	return args
}

// Monitor returns the arguments for a QMP monitor on a connected stream socket that QEMU inherits
// as descriptor fd. id is the id of its character device.
func Monitor(id string, fd int) []string {
	return []string{
		"-chardev", fmt.Sprintf("socket,id=%s,fd=%d", id, fd),
		"-qmp", "chardev:" + id, // -mon is deprecated since QEMU 11.1
	}
}

// ProbeArgs returns the command line of a QEMU that shows whether kernel starts under KVM: with
// one UART on stdout, and neither an initramfs nor a disk. A kernel that starts prints its first
// line. Then it finds no root file system, panics and restarts, which ends QEMU.
func ProbeArgs(qemu, kernel, kind string) []string {
	return []string{qemu,
		"-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
		"-machine", machine(Host{Type: kind}), "-accel", "kvm", "-cpu", platforms[kind].cpu("kvm"), "-m", "256M",
		"-kernel", kernel, "-append", platforms[kind].probeParams + " panic=-1",
		"-serial", "stdio",
	}
}
