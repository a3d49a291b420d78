package qemu

// platform is what QEMU and the kernel get for a machine type.
type platform struct {
	machine string // -machine, for Linux
	tcgCPU  string // -cpu under TCG; under KVM it is "host"
	// Devices: the bus of virtio consoles, the vsock device, and the one by which the guest
	// reports a panic to QEMU.
	serialBus, vsock, panic string
	// Parameters of the Linux command line: always, and under TCG.
	params, tcgParams []string
	// probeParams make a kernel print its first line on the first UART.
	probeParams string
}

// platforms are the platforms, by machine type. Their machines omit devices that no console needs,
// since Linux spends time probing each one.
var platforms = map[string]platform{
	"q35": {
		machine:   "q35,usb=off,sata=off,smbus=off,vmport=off,i8042=off",
		tcgCPU:    "max",
		serialBus: "virtio-serial-pci", vsock: "vhost-vsock-pci", panic: "pvpanic-pci",
		// On a busy host the guest may get no tick while it tests the timer. Then it would
		// panic.
		tcgParams:   []string{"no_timer_check"},
		probeParams: "console=ttyS0,115200 earlyprintk=ttyS0,115200",
	},
	"microvm": {
		// A guest under TCG needs a PIT and a PIC to boot. Without an RTC a kernel waits
		// seconds for one. Without ACPI the guest has no power button, and does not find
		// the virtio devices.
		machine: "microvm,acpi=on,rtc=on,pit=on,pic=on,isa-serial=on",
		tcgCPU:  "max",
		// Virtio over mmio.
		serialBus: "virtio-serial-device", vsock: "vhost-vsock-device", panic: "pvpanic",
		// A microvm has no keyboard controller that could reset it; a triple fault does.
		params:      []string{"reboot=t"},
		tcgParams:   []string{"no_timer_check"},
		probeParams: "console=ttyS0,115200 earlyprintk=ttyS0,115200",
	},
	"virt": { // of aarch64
		machine: "virt,gic-version=max",
		// The architecture's own algorithm for pointer authentication is slow to emulate.
		tcgCPU:    "max,pauth-impdef=on",
		serialBus: "virtio-serial-pci", vsock: "vhost-vsock-pci", panic: "pvpanic-pci",
		probeParams: "console=ttyAMA0,115200 earlycon",
	},
}

// cpu returns the value of -cpu.
func (p platform) cpu(accel string) string {
	if accel == "kvm" {
		return "host"
	}
	return p.tcgCPU
}
