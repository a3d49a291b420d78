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
	virtioPattern = regexp.MustCompile(`^hvc[0-7]$`)
)

// The values of Machine.Type and Machine.Accel.
var (
	Types  = []string{"auto", "q35", "microvm", "virt"}
	Accels = []string{"auto", "kvm", "tcg"}
)

// Beyond these limits QEMU or the guest would fail later, with less clear errors.
const (
	minMemoryMiB = 32
	maxMemoryMiB = 1 << 20
	// MaxVCPUs is the maximum number of virtual processors.
	MaxVCPUs = 255
	minPort  = 1
	maxPort  = 65535
	// MaxName is the maximum length of a machine's name, in bytes.
	MaxName = 40
)

// CheckName returns a *strictjson.Mistake if name is not a valid machine name.
func CheckName(name string) error {
	switch {
	case name == "":
		return strictjson.Mistakef("name", "is missing")
	case !namePattern.MatchString(name):
		return strictjson.Mistakef("name", "invalid name %q: want lower-case letters, digits and dashes, at most %d", name, MaxName)
	}
	return nil
}

// Validate returns every mistake in m as one *multierror.Error. It does not access files;
// CheckFiles and CheckDevices do.
func (m Machine) Validate() error {
	var errs *multierror.Error
	wrong := func(field, format string, args ...any) {
		errs = multierror.Append(errs, strictjson.Mistakef(field, format, args...))
	}
	if err := CheckName(m.Name); err != nil {
		errs = multierror.Append(errs, err)
	}
	m.validateArch(wrong)
	if !slices.Contains(Accels, m.Accel) {
		wrong("accel", "unknown accelerator %q (choose %s)", m.Accel, strings.Join(Accels, ", "))
	}
	if m.MemoryMiB < minMemoryMiB || m.MemoryMiB > maxMemoryMiB {
		wrong("memoryMiB", "%d is out of range (%d to %d)", m.MemoryMiB, minMemoryMiB, maxMemoryMiB)
	}
	if m.VCPUs < 1 || m.VCPUs > MaxVCPUs {
		wrong("vcpus", "%d is out of range (1 to %d)", m.VCPUs, MaxVCPUs)
	}
	m.validateImage(wrong)
	m.validateParams(wrong)
	if err := CheckQEMUArgs(m.QEMUArgs); err != nil {
		wrong("qemuArgs", "%v", err)
	}
	if err := m.CheckCollect(m.QEMUArgs); err != nil {
		wrong("qemuArgs", "%v", err)
	}
	m.validateConsoles(wrong)
	m.validateDisks(wrong)
	m.validateTargets(wrong)
	m.validateShares(wrong)
	m.validateNetwork(wrong)
	m.validateChecks(wrong)
	m.KernelLog.validate(wrong)
	m.KernelLog.validateLevel(m.KernelParams, wrong)
	if m.Vsock != nil && (m.Vsock.CID < minCID || m.Vsock.CID > maxCID) {
		wrong("vsock.cid", "%d is out of range (%d to %d, different for each VM of this host)", m.Vsock.CID, minCID, maxCID)
	}
	return errs.ErrorOrNil()
}

// validateParams rejects parameters that the kernel would parse as something else.
func (m Machine) validateParams(wrong func(field, format string, args ...any)) {
	for i, param := range m.KernelParams {
		field := fmt.Sprintf("kernelParams[%d]", i)
		switch {
		case param == "" || strings.ContainsRune(param, 0):
			wrong(field, "invalid kernel parameter %q", param)
		case several(param):
			wrong(field, "%q contains white space (write each parameter as an entry of its own, and a value with blanks in double quotes)", param)
		case strings.Count(param, `"`)%2 != 0: // the next parameters would become part of it
			wrong(field, "%q has an unbalanced quotation mark", param)
		case strings.HasPrefix(strings.TrimPrefix(param, `"`), "console="): // the kernel removes the mark
			wrong(field, "%q follows from consoles (change their order there)", param)
		}
	}
}

// several reports whether param has white space other than blanks between double quotes: the kernel
// would parse it as several parameters (next_arg in Linux's lib/cmdline.c).
func several(param string) bool {
	for i, part := range strings.Split(param, `"`) {
		if i%2 != 0 { // between quotes
			part = strings.ReplaceAll(part, " ", "")
		}
		if strings.ContainsFunc(part, unicode.IsSpace) {
			return true
		}
	}
	return false
}

// validateConsoles validates each console, and that names, devices and ports differ.
func (m Machine) validateConsoles(wrong func(field, format string, args ...any)) {
	if len(m.Consoles) == 0 {
		wrong("consoles", "is empty (add a console, or leave consoles out for the two default ones)")
	}
	names, devices, ports := map[string]int{}, map[string]int{}, map[string]int{}
	for i, console := range m.Consoles {
		field := fmt.Sprintf("consoles[%d]", i)
		unique := func(seen map[string]int, key, value string) {
			if first, ok := seen[value]; ok {
				wrong(field+"."+key, "%s is also the %s of consoles[%d] (%ss must differ)", value, key, first, key)
				return
			}
			seen[value] = i
		}
		switch {
		case console.Name == crashes:
			wrong(field+".name", "%q is the folder of crash bundles (choose another name)", crashes)
		case !namePattern.MatchString(console.Name):
			wrong(field+".name", "invalid name %q: want lower-case letters, digits and dashes, at most %d", console.Name, MaxName)
		default:
			unique(names, "name", strconv.Quote(console.Name))
		}
		if arch := m.Architecture(); !arch.hasDevice(console.Device) {
			wrong(field+".device", "unknown device %q: want %s", console.Device, arch.devices())
		} else {
			unique(devices, "device", strconv.Quote(console.Device))
		}
		if console.OnlyPrints() && console.HasLogin() {
			wrong(field+".login", "a debugcon has no input (leave it out)")
		}
		if m.Type == "microvm" && console.IsSerial() && console.Device != "ttyS0" {
			wrong(field+".device", "%q: a microvm has only the UART ttyS0 (use hvc0 to hvc7, or machine q35)", console.Device)
		}
		if console.Port < minPort || console.Port > maxPort {
			wrong(field+".port", "%d is out of range (%d to %d)", console.Port, minPort, maxPort)
		} else {
			unique(ports, "port", strconv.Itoa(console.Port))
		}
	}
	m.validateDeviceNumbers(devices, wrong)
}

// validateDeviceNumbers validates that the devices of each kind are numbered from 0 without a
// gap, as the guest numbers the devices that it finds.
func (m Machine) validateDeviceNumbers(devices map[string]int, wrong func(field, format string, args ...any)) {
	for i, console := range m.Consoles {
		if !m.Architecture().hasDevice(console.Device) || console.OnlyPrints() {
			continue
		}
		last := len(console.Device) - 1
		number := int(console.Device[last] - '0')
		if number == 0 {
			continue
		}
		before := strconv.Quote(console.Device[:last] + strconv.Itoa(number-1))
		if _, ok := devices[before]; !ok {
			wrong(fmt.Sprintf("consoles[%d].device", i), "%q needs another console with device %s", console.Device, before)
		}
	}
}

// CheckFiles checks the files that a machine is started from: kernel, initrd, image, firmware
// and QEMU, and that the kernel has a driver for its shares. It returns a *multierror.Error with
// a mistake for each one that is missing, unreadable or
// invalid.
func (m Machine) CheckFiles() error {
	var errs *multierror.Error
	if _, err := exec.LookPath(m.QEMU); err != nil {
		errs = multierror.Append(errs, strictjson.Mistakef(
			"qemu", "%q not found (install QEMU, or set qemu to the path of the program)", m.QEMU))
	}
	if _, err := m.Boot(); err != nil {
		errs = multierror.Append(errs, err)
	}
	if m.Image != nil && m.Image.CustomFirmware() != "" {
		if err := checkFirmware(m.Image.CustomFirmware()); err != nil {
			errs = multierror.Append(errs, strictjson.Mistakef("image.firmware", "%w (set firmware to bios, or to the path of one such as OVMF_CODE.fd)", err))
		}
	}
	if m.Initrd != "" {
		if err := readable(m.Initrd); err != nil {
			errs = multierror.Append(errs, strictjson.Mistakef("initrd", "%w (set initrd to the path of an initramfs)", err))
		}
	}
	if _, err := m.ChooseDrivers(); err != nil {
		errs = multierror.Append(errs, err)
	}
	return errs.ErrorOrNil()
}

// readable returns an error unless path is a regular file that can be opened. The type is
// checked first, since opening a FIFO would block.
func readable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return file.Close()
}
