// Package vmconfig defines vm.json, the description of a virtual machine.
//
// A Machine is plain data. Load reads a file, fills in the defaults, which are defined here
// only, and reports every mistake at once.
package vmconfig

import (
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
)

// Machine is one virtual machine: the content of a vm.json.
type Machine struct {
	// Name is the name of the VM and of its directory: lower-case letters, digits and dashes,
	// at most 40. Required.
	Name string `json:"name"`
	// Arch is the guest's architecture, "x86_64" or "aarch64". Default: that in the name of
	// QEMU's program, else "x86_64".
	Arch string `json:"arch,omitempty"`
	// Type is QEMU's machine type: "q35", "microvm", or "auto" (default): q35 under TCG,
	// microvm under KVM. A microvm has one UART, and only starts Linux: otherwise auto is q35. For aarch64 it is "virt".
	Type string `json:"machine"`
	// Accel is the accelerator: "kvm", "tcg", or "auto" (default): kvm if this kernel, or the
	// host's if this is not Linux, starts under KVM on this host, else tcg.
	Accel string `json:"accel"`
	// QEMU is the program: a path, or a name that is looked up in PATH. Default:
	// "qemu-system-" and Arch.
	QEMU string `json:"qemu"`
	// MemoryMiB is the guest's memory in MiB. Default 256.
	MemoryMiB int `json:"memoryMiB"`
	// VCPUs is the number of virtual processors. Default 1.
	VCPUs int `json:"vcpus"`
	// Kernel is the path of a bzImage, or of a kernel for Multiboot or PVH. Required unless
	// Image is set.
	Kernel string `json:"kernel,omitempty"`
	// Image is booted by the firmware, in place of Kernel. Default: none.
	Image *Image `json:"image,omitempty"`
	// Initrd is the path of an initramfs, or of the module of a Multiboot kernel. Default: none.
	Initrd string `json:"initrd,omitempty"`
	// ModulesDir is the lib/modules of Kernel. It is read only to choose the driver of a share.
	// Default: the one beside the kernel, or the host's, that has the kernel's version.
	ModulesDir string `json:"modulesDir,omitempty"`
	// KernelParams are added to the kernel command line after the console= parameters, which
	// follow from Consoles. A value with blanks is in double quotes, as the kernel documents.
	KernelParams []string `json:"kernelParams,omitempty"`
	// Consoles are the consoles, in the order of their console= parameters: the last one
	// becomes the guest's /dev/console. Default: DefaultConsoles.
	Consoles []Console `json:"consoles"`
	// Ports are the ports of the default consoles, by console name; the others keep their
	// default ports. Parse moves them into Consoles.
	Ports map[string]int `json:"ports,omitempty"`
	// Disks are the guest's disks, in the order in which QEMU lists them.
	Disks []Disk `json:"disks,omitempty"`
	// Shares are directories of the host that the guest can mount.
	Shares []Share `json:"shares,omitempty"`
	// Network is the guest's network. Default: none.
	Network *Network `json:"network,omitempty"`
	// GDB serves gdb on a Unix socket in the VM's directory. Default false.
	GDB bool `json:"gdb,omitempty"`
	// Collect makes the VM write a crash bundle when the guest fails. Default false.
	Collect bool `json:"collect,omitempty"`
	// Vsock gives the guest a virtio-vsock device. Default: none.
	Vsock *Vsock `json:"vsock,omitempty"`
	// Sandbox runs QEMU with -sandbox, so that it cannot start programs, change its user or
	// use obsolete system calls, and with a small environment. Default true; set it to false
	// if QEMUArgs need more: a network with a script, or a window.
	Sandbox bool `json:"sandbox"`
	// QEMUArgs are added to QEMU's arguments unchanged.
	QEMUArgs []string `json:"qemuArgs,omitempty"`
	// Checks are made by run-test in this order, after its own.
	Checks []Check `json:"checks,omitempty"`
	// KernelLog is what run-test accepts in the kernel's log. Default: warnings only.
	KernelLog *KernelLog `json:"kernelLog,omitempty"`
	// Exactness is set if run-test also has the guest print numbered lines on each console
	// with a login, and looks for each of them. Default false.
	Exactness bool `json:"exactness,omitempty"`
}

// Console is one console device of the guest and its endpoint on the host.
type Console struct {
	// Name is the name that users give: "serial", "console".
	Name string `json:"name"`
	// Device is the guest's device: "ttyS0" to "ttyS3" (16550 UART), "hvc0" to "hvc7"
	// (virtio-console), or "debugcon" (port 0xe9, which only prints). The UART of aarch64 is
	// "ttyAMA0" (PL011).
	Device string `json:"device"`
	// Port is the TCP port on localhost, 1 to 65535.
	Port int `json:"port"`
	// Shared opens Port to every user of the host. By default, only the VM's owner and root
	// may connect.
	Shared bool `json:"shared,omitempty"`
	// Login is whether root can log in on the console without a password. Default: true, and
	// false for a debugcon and for the consoles of an Image. If it is false, run-test skips its
	// checks that need a shell.
	Login *bool `json:"login,omitempty"`
}

// HasLogin reports whether root can log in on the console.
func (c Console) HasLogin() bool {
	if c.Login == nil {
		return !c.OnlyPrints()
	}
	return *c.Login
}

// IsSerial reports whether the console is a UART.
func (c Console) IsSerial() bool { return strings.HasPrefix(c.Device, "tty") }

// IsVirtio reports whether the console is a virtio console.
func (c Console) IsVirtio() bool { return strings.HasPrefix(c.Device, "hvc") }

// OnlyPrints reports whether the console has no input.
func (c Console) OnlyPrints() bool { return c.Device == debugcon }

// debugcon is the device of QEMU's debug console.
const debugcon = "debugcon"

// HasLogin reports whether a console of the machine has a login. Without one, the guest may never
// be ready, and the machine counts as started when QEMU runs.
func (m Machine) HasLogin() bool { return slices.ContainsFunc(m.Consoles, Console.HasLogin) }

// Load reads the vm.json at path. If the file can be read, its error is a *multierror.Error
// with one entry per mistake, which names the file and the field. The mistakes that rules,
// such as CheckFiles, return are included.
func Load(path string, rules ...func(Machine) error) (Machine, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Machine{}, err
	}
	machine, err := Parse(data)
	var more *multierror.Error
	for _, rule := range rules {
		more = multierror.Append(more, rule(machine))
	}
	return machine, multierror.Prefix(strictjson.AllMistakes(err, more.ErrorOrNil()), path+":")
}

// Parse parses the content of a vm.json. If it returns an error, the machine has the fields
// that could be decoded.
func Parse(data []byte) (Machine, error) {
	machine := defaults()
	decoding := strictjson.Decode(data, &machine)
	machine.fillQEMU()
	return machine, strictjson.AllMistakes(decoding, machine.fillConsoles(), machine.Validate())
}

// defaults returns the machine of an empty vm.json.
func defaults() Machine {
	return Machine{Type: "auto", Accel: "auto", MemoryMiB: 256, VCPUs: 1, Sandbox: true}
}
