// Package vmconfig is vm.json: what a machine is, before anything of it runs.
//
// It is plain data. Load reads a file, fills in the defaults, which stand here
// and nowhere else, and tells every mistake at once.
package vmconfig

import (
	"os"
	"strings"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
)

// Machine is one virtual machine, the whole of a vm.json.
type Machine struct {
	// Name names the machine's folder and its endpoints: lower-case letters,
	// digits and dashes, at most 40. Required.
	Name string `json:"name"`
	// Type is QEMU's machine type: "q35", "microvm", or "auto" (default),
	// which is q35 under TCG and microvm under KVM. A microvm has one UART;
	// auto is q35 for a machine that has more.
	Type string `json:"machine"`
	// Accel is the accelerator: "kvm", "tcg", or "auto" (default), which
	// tries whether KVM really runs this kernel.
	Accel string `json:"accel"`
	// QEMU is the program, a path or a name to be looked up on PATH. Default
	// "qemu-system-x86_64".
	QEMU string `json:"qemu"`
	// MemoryMiB is the guest's memory in MiB. Default 256.
	MemoryMiB int `json:"memoryMiB"`
	// VCPUs is the number of virtual processors. Default 1.
	VCPUs int `json:"vcpus"`
	// Kernel is the path of a bzImage. Required.
	Kernel string `json:"kernel"`
	// Initrd is the path of an initramfs. Empty: none.
	Initrd string `json:"initrd,omitempty"`
	// KernelParams are added to the kernel command line, behind the console=
	// parameters, which are made from Consoles.
	KernelParams []string `json:"kernelParams,omitempty"`
	// Consoles in the order of their console= parameters: the last one
	// becomes the guest's /dev/console. Left out: DefaultConsoles.
	Consoles []Console `json:"consoles"`
	// Ports are the ports of the default consoles, by console name; a console
	// that is not named keeps its own. Parse moves them into Consoles.
	Ports map[string]int `json:"ports,omitempty"`
	// Vsock gives the guest a virtio-vsock device. nil: none.
	Vsock *Vsock `json:"vsock,omitempty"`
	// Sandbox has QEMU start no program, become no other user, and use no obsolete
	// system call (QEMU's -sandbox), and gives it a small environment. Default true;
	// false for QEMUArgs that need more: a network with a script, or a window.
	Sandbox bool `json:"sandbox"`
	// QEMUArgs are added to QEMU's arguments as they are.
	QEMUArgs []string `json:"qemuArgs,omitempty"`
	// Checks are what run-test checks beside what it always does, in their order.
	Checks []Check `json:"checks,omitempty"`
}

// Console is one console device of the guest and its endpoint on the host.
type Console struct {
	// Name is what users call it: "serial", "console".
	Name string `json:"name"`
	// Device is the guest's device: "ttyS0" to "ttyS3" (16550 UART) or
	// "hvc0" to "hvc7" (virtio-console).
	Device string `json:"device"`
	// Port is the TCP port on localhost, 1 to 65535.
	Port int `json:"port"`
	// Shared opens Port to every user of the host. Default false: to the VM's owner
	// and root.
	Shared bool `json:"shared,omitempty"`
	// Login tells whether root can log in there, without a password. Default
	// true; false for a guest that is none of ours: run-test then leaves out
	// what needs a shell there.
	Login *bool `json:"login,omitempty"`
}

// HasLogin tells whether root can log in on the console.
func (c Console) HasLogin() bool { return c.Login == nil || *c.Login }

// IsSerial tells whether the console is a UART; the others are virtio-consoles.
func (c Console) IsSerial() bool { return strings.HasPrefix(c.Device, "ttyS") }

// Load reads the vm.json at path. Its error is a *multierror.Error with one
// entry per mistake, each naming the file and the field. rules find more mistakes than
// Validate does, such as CheckFiles; they are reported with the others.
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

// Parse is Load for data that has been read. With an error, the machine has the fields
// that could be decoded.
func Parse(data []byte) (Machine, error) {
	machine := defaults()
	decoding := strictjson.Decode(data, &machine)
	return machine, strictjson.AllMistakes(decoding, machine.fillConsoles(), machine.Validate())
}

// defaults is what a vm.json that says nothing means.
func defaults() Machine {
	return Machine{Type: "auto", Accel: "auto", QEMU: "qemu-system-x86_64", MemoryMiB: 256, VCPUs: 1, Sandbox: true}
}
