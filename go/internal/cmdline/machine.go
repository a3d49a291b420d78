package cmdline

import (
	"strings"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/vmconfig"
)

// MachineFlags are the flags of a program that starts a machine.
func MachineFlags() []cli.Flag {
	return []cli.Flag{
		ConfigFlag(),
		NameFlag("`NAME` of the VM (default: the one in vm.json)"),
		&cli.StringFlag{
			Name:  "accel",
			Usage: "the accelerator, `WORD`: " + strings.Join(vmconfig.Accels, ", ") + " (auto tries whether KVM really runs this kernel)",
		},
		&cli.StringFlag{
			Name:  "machine",
			Usage: "QEMU's machine type, `WORD`: " + strings.Join(vmconfig.Types, ", ") + " (auto: microvm under KVM, else q35)",
		},
	}
}

// Machine reads the vm.json that --config names and changes it by the flags of
// MachineFlags. The rules are those of vmconfig.Load. Its errors have status StatusUsage.
func Machine(c *cli.Context, rules ...func(vmconfig.Machine) error) (vmconfig.Machine, error) {
	path := c.String("config")
	if path == "" {
		return vmconfig.Machine{}, Usage("config: no vm.json was named (use --config FILE, or set MICROVM_CONFIG)")
	}
	machine, err := vmconfig.Load(path, rules...)
	if err != nil {
		return vmconfig.Machine{}, Status(StatusUsage, err)
	}
	for flag, field := range map[string]*string{
		"name": &machine.Name, "accel": &machine.Accel, "machine": &machine.Type,
	} {
		if c.IsSet(flag) {
			*field = c.String(flag)
		}
	}
	return machine, Status(StatusUsage, machine.Validate())
}

// MachineName returns the name of the VM that a program is to talk to: --name, or the one
// in the vm.json of --config, or "" for the only one that runs. Its errors have status
// StatusUsage.
func MachineName(c *cli.Context) (string, error) {
	name, _, err := MachineConsoles(c)
	return name, err
}

// MachineConsoles is MachineName that also returns the VM's consoles; nil if its vm.json is
// not at hand.
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
		return machine.Name, machine.Consoles, Status(StatusUsage, err)
	case err != nil || machine.Name != name:
		return name, nil, nil //nolint:nilerr // the vm.json is not the named VM's
	}
	return name, machine.Consoles, nil
}
