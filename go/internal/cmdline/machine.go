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

// MachineName is the name of the VM that a program is to talk to: --name, or
// the one in the vm.json of --config, or "" for the only one that runs. Its
// errors have status StatusUsage.
func MachineName(c *cli.Context) (string, error) {
	if c.IsSet("name") {
		name := c.String("name")
		return name, Status(StatusUsage, vmconfig.CheckName(name)) // before it becomes a path
	}
	path := c.String("config")
	if path == "" {
		return "", nil
	}
	machine, err := vmconfig.Load(path)
	return machine.Name, Status(StatusUsage, err)
}
