// Package qemu makes QEMU's command line for a machine.
//
// Its functions are pure: their results depend only on their arguments. All strings for QEMU are
// made here, except for commands of the monitor.
package qemu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"microvm-console/internal/vmconfig"
)

// Host holds what depends on this host.
type Host struct {
	// Accel is "kvm" or "tcg".
	Accel string
	// Type is the machine type: "q35", "microvm" or "virt".
	Type string
	// Boot is what the machine starts.
	Boot vmconfig.Boot
	// TSCKHz is the rate of the host's time stamp counter in kHz; 0 if unknown. Only a microvm
	// under TCG needs it.
	TSCKHz int
	// Pipe returns the path of a console's pipe, to which QEMU appends .in and .out. If it is
	// nil, QEMU serves the consoles' ports itself.
	Pipe func(console vmconfig.Console) string
	// ShareSocket returns the path of the socket of a share's virtiofsd. May be nil if no share
	// needs one.
	ShareSocket func(tag string) string
	// OwnDisk returns the path of the file of a disk of the VM's own, which has no path in vm.json.
	// May be nil if there is none.
	OwnDisk func(disk vmconfig.Disk) string
	// Features are the features of the QEMU program.
	Features Features
}

// Type returns QEMU's machine type for m, which starts boot, under an accelerator. For "auto" that
// is microvm under KVM if boot is Linux and m has at most one UART, else q35. Under TCG a microvm
// may hang at boot; a q35 always boots. For aarch64 it is virt.
func Type(m vmconfig.Machine, boot vmconfig.Boot, accel string) string {
	uarts := 0
	for _, console := range m.Consoles {
		if console.IsSerial() {
			uarts++
		}
	}
	arch := m.Architecture()
	switch {
	case m.Type != "auto":
		return m.Type
	case !arch.PC:
		return arch.Types[0]
	case accel == "kvm" && uarts <= 1 && boot.Linux():
		return "microvm"
	}
	return "q35"
}

// Args returns QEMU's command line, beginning with the program. It can be run by hand: Control
// returns the arguments that only work in the process that starts QEMU.
func Args(m vmconfig.Machine, h Host) []string {
	args := []string{m.QEMU,
		"-name", m.Name,
		"-no-user-config", "-nodefaults", "-display", "none",
	}
	if m.Sandbox && h.Features.Sandbox {
		args = append(args, "-sandbox", sandbox)
	}
	args = append(args,
		"-machine", machine(h)+sharedMemory(m),
		"-accel", h.Accel,
		"-cpu", platforms[h.Type].cpu(h.Accel),
		"-m", strconv.Itoa(m.MemoryMiB)+"M",
		"-smp", strconv.Itoa(m.VCPUs),
	)
	args = append(args, boot(m, h)...)
	args = append(args, consoles(m.Consoles, h)...)
	args = append(args, disks(m, h)...)
	args = append(args, shares(m, h)...)
	args = append(args, network(m, h)...)
	args = append(args, vsock(m, h)...)
	args = append(args, "-device", platforms[h.Type].panic)
	args = append(args, collect(m)...)
	return append(args, m.QEMUArgs...)
}

// KernelParams returns the parameters of the kernel command line. A kernel that is not Linux gets
// only those of the user.
func KernelParams(m vmconfig.Machine, h Host) []string {
	if !h.Boot.Linux() {
		return m.KernelParams
	}
	var params []string
	for _, console := range m.Consoles {
		switch {
		case console.IsSerial():
			params = append(params, "console="+console.Device+",115200")
		case console.IsVirtio():
			params = append(params, "console="+console.Device)
		}
	}
	// After a panic the kernel restarts at once, which package vm detects. Otherwise it would
	// hang for ever.
	params = append(params, "panic=-1")
	if slices.ContainsFunc(m.Consoles, vmconfig.Console.IsVirtio) {
		// Linux polls for the end of each write to hvc0, and finds nothing to do in the
		// interrupt that follows. After 100,000 such interrupts it takes the interrupt for
		// spurious, prints that on all consoles, and disables it.
		params = append(params, "noirqdebug")
	}
	params = append(params, platforms[h.Type].params...)
	if h.Accel == "tcg" {
		params = append(params, platforms[h.Type].tcgParams...)
		if h.Type == "microvm" && h.TSCKHz > 0 {
			// About one boot in four hangs in the calibration of the TSC against the PIT.
			params = append(params, fmt.Sprintf("tsc_early_khz=%d", h.TSCKHz))
		}
	}
	params = append(params, collectParams(m)...)
	params = append(params, diskParams(m)...)
	params = append(params, shareParams(m)...)
	params = append(params, networkParams(m)...)
	return append(params, m.KernelParams...)
}

// consoles returns the arguments for all consoles. QEMU numbers UARTs and virtio consoles in the
// order of their arguments.
func consoles(all []vmconfig.Console, h Host) []string {
	var serial, virt, debug []vmconfig.Console
	for _, console := range all {
		switch {
		case console.IsSerial():
			serial = append(serial, console)
		case console.IsVirtio():
			virt = append(virt, console)
		default:
			debug = append(debug, console)
		}
	}
	byDevice := func(a, b vmconfig.Console) int { return strings.Compare(a.Device, b.Device) }
	slices.SortFunc(serial, byDevice)
	slices.SortFunc(virt, byDevice)

	var args []string
	for _, console := range serial {
		args = append(args, "-chardev", chardev(console, h), "-serial", "chardev:"+ChardevID(console))
	}
	if len(virt) > 0 {
		args = append(args, "-device", virtioSerial(h))
	}
	for _, console := range virt {
		args = append(args, "-chardev", chardev(console, h), "-device", "virtconsole,chardev="+ChardevID(console))
	}
	for _, console := range debug {
		args = append(args, "-chardev", chardev(console, h), "-device", "isa-debugcon,iobase=0xe9,chardev="+ChardevID(console))
	}
	return args
}

// chardev returns the value of -chardev for a console: a pair of pipes that a relay drains, or a
// TCP server in QEMU, which serves one client at a time and drops output if there is none.
func chardev(console vmconfig.Console, h Host) string {
	if h.Pipe == nil {
		return fmt.Sprintf("socket,id=%s,host=localhost,port=%d,server=on,wait=off", ChardevID(console), console.Port)
	}
	return fmt.Sprintf("pipe,id=%s,path=%s", ChardevID(console), escaped(h.Pipe(console)))
}

// escaped returns value as a part of an option. QEMU parses a doubled comma as a comma in the value.
func escaped(value string) string { return strings.ReplaceAll(value, ",", ",,") }

// virtioSerial returns the device that is the bus of virtio consoles and the agent's port.
func virtioSerial(h Host) string {
	bus := platforms[h.Type].serialBus
	if h.Accel == "tcg" && strings.HasSuffix(bus, "-pci") {
		// The guest spins until QEMU has read its output. In another thread of QEMU that
		// takes six times as long.
		bus += ",ioeventfd=off"
	}
	return bus
}

// ChardevID returns the id of a console's character device: "serial0" for ttyS0 and
// ttyAMA0, "virtcon0" for
// hvc0, "debugcon" for debugcon.
func ChardevID(console vmconfig.Console) string {
	if console.IsSerial() {
		return "serial" + console.Device[len(console.Device)-1:]
	}
	if number, ok := strings.CutPrefix(console.Device, "hvc"); ok {
		return "virtcon" + number
	}
	return console.Device
}
