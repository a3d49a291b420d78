package cmdline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/vmconfig"
)

// MachineFlags returns the flags of a program that starts a VM; see Machine.
func MachineFlags() []cli.Flag {
	return []cli.Flag{
		ConfigFlag(),
		&cli.StringFlag{Name: "name", Usage: "call the VM `NAME` (default: the name in vm.json)"},
		&cli.StringFlag{
			Name:  "accel",
			Usage: "use the accelerator `WORD`: " + strings.Join(vmconfig.Accels, ", ") + " (auto: KVM if this kernel runs under it)",
		},
		&cli.StringFlag{
			Name:  "machine",
			Usage: "use QEMU's machine type `WORD`: " + strings.Join(vmconfig.Types, ", ") + " (auto: microvm under KVM, else q35; virt for aarch64)",
		},
	}
}

// Machine returns the VM in the vm.json of --config, with the fields that the flags of
// MachineFlags set. The rules are those of vmconfig.Load. Its errors have status StatusUsage.
func Machine(c *cli.Context, rules ...func(vmconfig.Machine) error) (vmconfig.Machine, error) {
	path := c.String("config")
	if path == "" {
		return vmconfig.Machine{}, noConfig()
	}
	return MachineOf(c, path, rules...)
}

// MachineOf is Machine for the vm.json at path.
func MachineOf(c *cli.Context, path string, rules ...func(vmconfig.Machine) error) (vmconfig.Machine, error) {
	machine, err := vmconfig.Load(path, rules...)
	if err != nil {
		return vmconfig.Machine{}, Status(StatusUsage, configError(c, err))
	}
	return machine, SetMachine(c, &machine)
}

// SetMachine sets the fields of machine that the flags of MachineFlags give. It returns the
// mistakes in machine, with status StatusUsage.
func SetMachine(c *cli.Context, machine *vmconfig.Machine) error {
	for flag, field := range map[string]*string{
		"name": &machine.Name, "accel": &machine.Accel, "machine": &machine.Type,
	} {
		if c.IsSet(flag) {
			*field = c.String(flag)
		}
	}
	return Status(StatusUsage, machine.Validate())
}

// noConfig returns the error that no vm.json is given. It names the one in the working folder,
// if there is one.
func noConfig() error {
	if _, err := os.Stat("vm.json"); err == nil {
		return Usage("config: no vm.json is given (there is one here: --config vm.json)")
	}
	return Usage("config: no vm.json is given (use --config FILE, or set MICROVM_CONFIG)")
}

// configError returns err, an error of the vm.json of c. It names the environment variable if
// the path of a file that does not exist is from there.
func configError(c *cli.Context, err error) error {
	if missing := (*fs.PathError)(nil); errors.As(err, &missing) && missing.Path == os.Getenv(configVariable) && !onCommandLine(c, "config") {
		return fmt.Errorf("%s: %w", configVariable, err)
	}
	return err
}

// onCommandLine reports whether a flag is among the arguments of c, and not only its
// environment variable is set.
func onCommandLine(c *cli.Context, name string) bool {
	return slices.ContainsFunc(flagWordsOf(c), func(word string) bool {
		typed, _, _ := strings.Cut(word, "=")
		return strings.HasPrefix(typed, "-") && flagName(typed) == name
	})
}

// MachineName returns the name of the VM that a program uses: --name, or the one
// in the vm.json of --config, or "" for the only one that runs. Its errors have status
// StatusUsage.
func MachineName(c *cli.Context) (string, error) {
	name, _, err := MachineConsoles(c)
	return name, err
}

// MachineConsoles returns the name of the VM, as MachineName does, and its consoles; nil if its
// vm.json is not known.
func MachineConsoles(c *cli.Context) (string, []vmconfig.Console, error) {
	name, path := c.String("name"), c.String("config")
	if c.IsSet("name") {
		if err := vmconfig.CheckName(name); err != nil { // before it becomes a path
			return "", nil, Status(StatusUsage, err)
		}
	} else if path == "" {
		return "", nil, nil
	}
	machine, err := vmconfig.Load(path)
	switch {
	case !c.IsSet("name"):
		return machine.Name, machine.Consoles, Status(StatusUsage, configError(c, err))
	case err != nil || machine.Name != name:
		return name, nil, nil //nolint:nilerr // the vm.json is another VM's
	}
	return name, machine.Consoles, nil
}
