// Package hostroot describes a VM whose guest has the files of this host: its root is the host's
// root directory, read-only, with an overlay in the guest's memory.
//
// The guest runs no image of the user: its initramfs, which is made at each start, has
// microvm-agent as the first process (package guestinit) and the kernel modules that it needs.
package hostroot

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"microvm-console/internal/vmconfig"
)

// The name and the memory of a VM without a vm.json.
const (
	name      = "host-root"
	memoryMiB = 1024
)

// Default returns the VM that is used without a vm.json: with one console, and all processors of
// this host.
func Default(kernel string) (vmconfig.Machine, error) {
	text, err := json.Marshal(map[string]any{
		"name": name, "kernel": kernel, "memoryMiB": memoryMiB, "vcpus": min(runtime.NumCPU(), vmconfig.MaxVCPUs),
	})
	if err != nil {
		return vmconfig.Machine{}, err
	}
	machine, err := vmconfig.Parse(text)
	if err == nil {
		machine.Consoles = machine.Consoles[:1]
	}
	return machine, err
}

// kernelParams are the kernel parameters that precede those of the VM. They only save time: each
// line on ttyS0 takes some, and so do the self-tests of cryptographic algorithms.
var kernelParams = []string{"quiet", "cryptomgr.notests"}

// Guest is a guest with the files of this host.
type Guest struct {
	// Machine is its VM. It has no initrd until the start; see WriteInitrd.
	Machine vmconfig.Machine

	dir   string // the working directory
	shell bool
	agent string // path of microvm-agent
}

// New returns the guest of a VM. The guest uses its shares for writable, directories of the host
// in which the guest writes the host's files, and does not use its initrd, disks, network and
// shares. With shell, it runs a shell on the first console. The paths in the guest are those of
// this host.
func New(m vmconfig.Machine, writable []string, shell bool) (*Guest, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("working directory: %w", err)
	}
	if m.Kernel, err = filepath.Abs(m.Kernel); err != nil {
		return nil, err
	}
	m.Consoles = slices.Clone(m.Consoles)
	for i := range m.Consoles {
		login := shell && i == 0
		m.Consoles[i].Login = &login
	}
	m.KernelParams = append(slices.Clone(kernelParams), m.KernelParams...)
	m.Initrd, m.Disks, m.Network, m.Checks = "", nil, nil, nil
	if m.Shares, err = shares(writable, dir); err != nil {
		return nil, err
	}
	if m, err = chooseDrivers(m); err != nil {
		return nil, fmt.Errorf("--host-root: %w", err)
	}
	agent, err := findAgent()
	if err != nil {
		return nil, err
	}
	return &Guest{Machine: m, dir: dir, shell: shell, agent: agent}, nil
}

// shares returns the host's root directory, and the writable directories. Paths are relative to
// dir. They have no target, since package guestinit mounts them at their sources.
func shares(writable []string, dir string) ([]vmconfig.Share, error) {
	all := []vmconfig.Share{{Source: "/"}}
	readOnly := false
	for _, given := range writable {
		path := given
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		path, err := filepath.EvalSymlinks(path)
		if err != nil {
			return nil, fmt.Errorf("--writable %s: %w", given, err)
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, fmt.Errorf("--writable %s: %w", given, err)
		case !info.IsDir():
			return nil, fmt.Errorf("--writable %s: not a directory (choose a directory of this host)", given)
		case path == "/":
			return nil, fmt.Errorf("--writable %s: the root directory stays read-only (choose directories in it)", given)
		}
		all = append(all, vmconfig.Share{Source: path, ReadOnly: &readOnly})
	}
	return all, nil
}

// chooseDrivers returns m with a driver for each share. A kernel without tables of modules must
// have 9p built in, which needs no second process on the host.
func chooseDrivers(m vmconfig.Machine) (vmconfig.Machine, error) {
	if _, err := m.KernelModules(); err == nil {
		return m.ChooseDrivers()
	}
	for i := range m.Shares {
		m.Shares[i].Driver = vmconfig.P9
	}
	return m, nil
}

// findAgent returns the path of microvm-agent: the small one for guests, if this program's
// package has it, or the one beside this program.
func findAgent() (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	dir := filepath.Dir(program)
	for _, path := range []string{filepath.Join(dir, "../libexec/microvm-agent"), filepath.Join(dir, "microvm-agent")} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("microvm-agent: not found beside %s (install it there: CGO_ENABLED=0 go install ./cmd/microvm-agent)", program)
}
