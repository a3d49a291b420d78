package vmconfig

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
)

var (
	namePattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	devicePattern = regexp.MustCompile(`^(ttyS[0-3]|hvc[0-7])$`)
)

// The words that the fields of the same name take.
var (
	Types  = []string{"auto", "q35", "microvm"}
	Accels = []string{"auto", "kvm", "tcg"}
)

// Limits beyond which QEMU or the guest would only fail later, and less
// clearly.
const (
	minMemoryMiB = 32
	maxMemoryMiB = 1 << 20
	maxVCPUs     = 255
	minPort      = 1
	maxPort      = 65535
	// MaxName is the length of the longest machine name.
	MaxName = 40
)

// CheckName tells whether a machine can have the name.
func CheckName(name string) error {
	switch {
	case name == "":
		return strictjson.Mistakef("name", "is missing")
	case !namePattern.MatchString(name):
		return strictjson.Mistakef("name", "%q is no machine name (lower-case letters, digits and dashes, at most %d)", name, MaxName)
	}
	return nil
}

// Validate tells every mistake at once, as a *multierror.Error. It looks at
// the data only; see CheckFiles for the rest.
func (m Machine) Validate() error {
	var errs *multierror.Error
	wrong := func(field, format string, args ...any) {
		errs = multierror.Append(errs, strictjson.Mistakef(field, format, args...))
	}
	if err := CheckName(m.Name); err != nil {
		errs = multierror.Append(errs, err)
	}
	if !slices.Contains(Types, m.Type) {
		wrong("machine", "%q is unknown (one of %s)", m.Type, strings.Join(Types, ", "))
	}
	if !slices.Contains(Accels, m.Accel) {
		wrong("accel", "%q is unknown (one of %s)", m.Accel, strings.Join(Accels, ", "))
	}
	if m.MemoryMiB < minMemoryMiB || m.MemoryMiB > maxMemoryMiB {
		wrong("memoryMiB", "%d is out of range (%d to %d)", m.MemoryMiB, minMemoryMiB, maxMemoryMiB)
	}
	if m.VCPUs < 1 || m.VCPUs > maxVCPUs {
		wrong("vcpus", "%d is out of range (1 to %d)", m.VCPUs, maxVCPUs)
	}
	if m.Kernel == "" {
		wrong("kernel", "is missing (the path of a bzImage)")
	}
	m.validateParams(wrong)
	if err := CheckQEMUArgs(m.QEMUArgs); err != nil {
		wrong("qemuArgs", "%v", err)
	}
	m.validateConsoles(wrong)
	m.validateChecks(wrong)
	if m.Vsock != nil && (m.Vsock.CID < minCID || m.Vsock.CID > maxCID) {
		wrong("vsock.cid", "%d is out of range (%d to %d, another one for each VM of this host)", m.Vsock.CID, minCID, maxCID)
	}
	return errs.ErrorOrNil()
}

// validateParams refuses what the kernel would read as something else.
func (m Machine) validateParams(wrong func(field, format string, args ...any)) {
	for i, param := range m.KernelParams {
		field := fmt.Sprintf("kernelParams[%d]", i)
		switch {
		case param == "" || strings.ContainsRune(param, 0):
			wrong(field, "%q is no kernel parameter", param)
		case strings.ContainsFunc(param, unicode.IsSpace):
			wrong(field, "%q has a blank in it (an entry is one parameter: make each word an entry)", param)
		case strings.Count(param, `"`)%2 != 0: // what follows would be a part of it
			wrong(field, "%q has a quotation mark too many", param)
		case strings.HasPrefix(strings.TrimPrefix(param, `"`), "console="): // the kernel removes the mark
			wrong(field, "%q is made from consoles (change their order there)", param)
		}
	}
}

// CheckQEMUArgs refuses arguments of the user's with which QEMU would leave the process
// that starts it.
func CheckQEMUArgs(args []string) error {
	for _, arg := range args {
		if arg == "-daemonize" || arg == "--daemonize" {
			return fmt.Errorf("%s: QEMU would leave the process that relays its consoles (leave it out, and put microvm-run in the background)", arg)
		}
	}
	return nil
}

// validateConsoles looks at each console and at what they must not share.
func (m Machine) validateConsoles(wrong func(field, format string, args ...any)) {
	if len(m.Consoles) == 0 {
		wrong("consoles", "is empty (at least one console is needed; left out, there are two)")
	}
	names, devices, ports := map[string]int{}, map[string]int{}, map[string]int{}
	for i, console := range m.Consoles {
		field := fmt.Sprintf("consoles[%d]", i)
		unique := func(seen map[string]int, key, what string) {
			if first, ok := seen[what]; ok {
				wrong(field+"."+key, "%s is that of consoles[%d] too (give each its own)", what, first)
				return
			}
			seen[what] = i
		}
		if !namePattern.MatchString(console.Name) {
			wrong(field+".name", "%q is no console name (lower-case letters, digits and dashes)", console.Name)
		} else {
			unique(names, "name", strconv.Quote(console.Name))
		}
		if !devicePattern.MatchString(console.Device) {
			wrong(field+".device", "%q is no console device (ttyS0 to ttyS3, hvc0 to hvc7)", console.Device)
		} else {
			unique(devices, "device", strconv.Quote(console.Device))
		}
		if m.Type == "microvm" && console.IsSerial() && console.Device != "ttyS0" {
			wrong(field+".device", "%q: a microvm has one UART, ttyS0 (use hvc0 to hvc7, or machine q35)", console.Device)
		}
		if console.Port < minPort || console.Port > maxPort {
			wrong(field+".port", "%d is out of range (%d to %d)", console.Port, minPort, maxPort)
		} else {
			unique(ports, "port", strconv.Itoa(console.Port))
		}
	}
	m.validateDeviceNumbers(devices, wrong)
}

// validateDeviceNumbers wants devices of a kind to be numbered from 0 without
// a hole: the guest numbers what QEMU plugs in.
func (m Machine) validateDeviceNumbers(devices map[string]int, wrong func(field, format string, args ...any)) {
	for i, console := range m.Consoles {
		if !devicePattern.MatchString(console.Device) {
			continue
		}
		last := len(console.Device) - 1
		number := int(console.Device[last] - '0')
		if number == 0 {
			continue
		}
		before := strconv.Quote(console.Device[:last] + strconv.Itoa(number-1))
		if _, ok := devices[before]; !ok {
			wrong(fmt.Sprintf("consoles[%d].device", i), "%q needs a console %s before it", console.Device, before)
		}
	}
}

// CheckFiles looks for the files a machine is started from: kernel, initrd and
// QEMU. It tells all that are missing or unreadable, and a kernel that is none.
func (m Machine) CheckFiles() error {
	var errs *multierror.Error
	if _, err := exec.LookPath(m.QEMU); err != nil {
		errs = multierror.Append(errs, strictjson.Mistakef(
			"qemu", "%q was not found (install QEMU, or name the program in vm.json)", m.QEMU))
	}
	if err := checkKernel(m.Kernel); err != nil {
		errs = multierror.Append(errs, strictjson.Mistakef("kernel", "%w (name a bzImage in vm.json)", err))
	}
	if m.Initrd != "" {
		if err := readable(m.Initrd); err != nil {
			errs = multierror.Append(errs, strictjson.Mistakef("initrd", "%w (name an initramfs in vm.json)", err))
		}
	}
	return errs.ErrorOrNil()
}

// readable opens path as QEMU will. It looks first: opening a FIFO would block.
func readable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return file.Close()
}
