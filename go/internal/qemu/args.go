// Package qemu turns a machine into QEMU's arguments.
//
// It is pure: the same machine on the same host gives the same arguments. No
// other package writes a string that QEMU reads, the monitor's commands
// excepted.
package qemu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"microvm-console/internal/vmconfig"
)

// Host is what was decided for a machine on this host.
type Host struct {
	// Accel is "kvm" or "tcg".
	Accel string
	// Type is the machine type, "q35" or "microvm".
	Type string
	// TSCKHz is the rate of the host's time stamp counter in kHz; 0: unknown.
	// Only a microvm under TCG needs it.
	TSCKHz int
	// Pipe gives the path of a console's pipe, to which QEMU adds .in and .out.
	// nil: QEMU serves the consoles' ports itself.
	Pipe func(console vmconfig.Console) string
	// Features are those of the machine's QEMU.
	Features Features
}

// Type is the machine type to use where vm.json says "auto". Under TCG a q35
// always boots; a microvm is smaller and is made for KVM, but has one UART.
func Type(m vmconfig.Machine, accel string) string {
	uarts := 0
	for _, console := range m.Consoles {
		if console.IsSerial() {
			uarts++
		}
	}
	switch {
	case m.Type != "auto":
		return m.Type
	case accel == "kvm" && uarts <= 1:
		return "microvm"
	}
	return "q35"
}

// Args is the whole command line of QEMU, the program first. What is private
// to the process that starts it is left to Control, so that this one can be
// run by hand.
func Args(m vmconfig.Machine, h Host) []string {
	args := []string{m.QEMU,
		"-name", m.Name,
		"-no-user-config", "-nodefaults", "-display", "none",
	}
	if m.Sandbox && h.Features.Sandbox {
		args = append(args, "-sandbox", sandbox)
	}
	args = append(args,
		"-machine", machine(h.Type),
		"-accel", h.Accel,
		"-cpu", cpu(h.Accel),
		"-m", strconv.Itoa(m.MemoryMiB)+"M",
		"-smp", strconv.Itoa(m.VCPUs),
		"-kernel", m.Kernel,
	)
	if m.Initrd != "" {
		args = append(args, "-initrd", m.Initrd)
	}
	args = append(args, "-append", strings.Join(KernelParams(m, h), " "))
	args = append(args, consoles(m.Consoles, h)...)
	args = append(args, vsock(m, h)...)
	args = append(args, "-device", panicDevice(h.Type))
	return append(args, m.QEMUArgs...)
}

// machine is the value of -machine. What no console needs is left out: every
// device costs the guest a probe.
func machine(kind string) string {
	if kind == "microvm" {
		// Without a PIT and a PIC a guest under TCG never boots; without an
		// RTC a kernel waits seconds for one; without ACPI there is no power
		// button, and the virtio devices cannot be found.
		return "microvm,acpi=on,rtc=on,pit=on,pic=on,isa-serial=on"
	}
	return "q35,usb=off,sata=off,smbus=off,vmport=off,i8042=off"
}

// cpu is the value of -cpu.
func cpu(accel string) string {
	if accel == "kvm" {
		return "host"
	}
	return "max"
}

// panicDevice tells QEMU, and so us, of a guest's panic.
func panicDevice(kind string) string {
	if kind == "microvm" {
		return "pvpanic"
	}
	return "pvpanic-pci"
}

// KernelParams is the kernel command line, word by word.
func KernelParams(m vmconfig.Machine, h Host) []string {
	var params []string
	for _, console := range m.Consoles {
		speed := ""
		if console.IsSerial() {
			speed = ",115200"
		}
		params = append(params, "console="+console.Device+speed)
	}
	// A kernel that panics restarts at once, which we see and report, instead
	// of standing still for ever.
	params = append(params, "panic=-1")
	if slices.ContainsFunc(m.Consoles, isVirtio) {
		// Linux waits for what it writes to hvc0, and finds nothing to do in the
		// interrupt that follows. After 100,000 of them it takes the interrupt for
		// broken, says "nobody cared" on all consoles, and switches it off.
		params = append(params, "noirqdebug")
	}
	if h.Type == "microvm" {
		// It has no keyboard controller to be reset by: a triple fault is its way
		// to restart.
		params = append(params, "reboot=t")
	}
	if h.Accel == "tcg" {
		// On a busy host the guest may get no timer tick while it tests the
		// timer, and would panic.
		params = append(params, "no_timer_check")
		if h.Type == "microvm" && h.TSCKHz > 0 {
			// Calibrating the TSC against the PIT hangs about one boot in four.
			params = append(params, fmt.Sprintf("tsc_early_khz=%d", h.TSCKHz))
		}
	}
	return append(params, m.KernelParams...)
}

// consoles are the arguments of all consoles. QEMU numbers UARTs and
// virtconsoles in the order in which they stand.
func consoles(all []vmconfig.Console, h Host) []string {
	var serial, virt []vmconfig.Console
	for _, console := range all {
		if console.IsSerial() {
			serial = append(serial, console)
		} else {
			virt = append(virt, console)
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
	return args
}

// chardev is the host's end of a console: a pair of pipes, which a relay keeps
// open and drains; or a TCP server in QEMU, which serves one client and drops
// what is printed while nobody is connected.
func chardev(console vmconfig.Console, h Host) string {
	if h.Pipe == nil {
		return fmt.Sprintf("socket,id=%s,host=localhost,port=%d,server=on,wait=off", ChardevID(console), console.Port)
	}
	// A comma ends a value unless it is doubled.
	path := strings.ReplaceAll(h.Pipe(console), ",", ",,")
	return fmt.Sprintf("pipe,id=%s,path=%s", ChardevID(console), path)
}

// virtioSerial is the bus of the virtconsoles and of the agent's port.
func virtioSerial(h Host) string {
	switch {
	case h.Type == "microvm":
		return "virtio-serial-device" // virtio over mmio
	case h.Accel == "tcg":
		// The guest spins until the host has taken what it wrote. Handing that to
		// another thread of QEMU makes hvc0 six times slower.
		return "virtio-serial-pci,ioeventfd=off"
	}
	return "virtio-serial-pci"
}

// ChardevID is the id of a console's character device: serial0 is ttyS0,
// virtcon0 is hvc0.
func ChardevID(console vmconfig.Console) string {
	if number, ok := strings.CutPrefix(console.Device, "ttyS"); ok {
		return "serial" + number
	}
	return "virtcon" + strings.TrimPrefix(console.Device, "hvc")
}
