package main

import (
	"fmt"
	"os/user"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/consoletest"
	"microvm-console/internal/systemd"
	"microvm-console/internal/units"
	"microvm-console/internal/vmconfig"
)

// defaultRestartSeconds is long enough for a VM that always fails never to reach systemd's limit
// of five starts within ten seconds.
const defaultRestartSeconds = 5

func unitsCommand() *cli.Command {
	return &cli.Command{
		Name:  "units",
		Usage: "print or install the systemd unit that runs the VM as a service",
		Description: `Prints the unit microvm-NAME.service, or writes it to the folder of --install or --output.
The VM is that of --config; --name, --accel, --machine and --auto-ports precede "units" and
become part of the unit. A user's service belongs to that user, as a VM in a terminal does.

A system service (--system) has no TCP ports, except those of consoles that are shared. It
runs as a user that systemd makes for it, or as --user, and is for root, or with --group for
the members of that group too.`,
		Flags: append(units.Flags("microvm-run", "~/.config/systemd/user ($XDG_CONFIG_HOME), with --system to /etc/systemd/system"),
			&cli.BoolFlag{Name: "system", Usage: "make a system service"},
			&cli.StringFlag{Name: "group", Usage: "with --system: let the members of `GROUP` use the VM"},
			&cli.StringFlag{Name: "user", Usage: "with --system: run the VM as `USER`"},
			&cli.StringFlag{Name: "restart", Value: "on-failure", Usage: "restart the VM when it ends: `WORD` is no, on-failure or always"},
			&cli.IntFlag{Name: "restart-seconds", Value: defaultRestartSeconds, Usage: "restart it after `N` seconds"},
		),
		Action: makeUnit,
	}
}

// inUnit are the flags of the program that become part of the unit.
var inUnit = []string{"name", "accel", "machine", "auto-ports"}

func makeUnit(c *cli.Context) error {
	if err := units.Check(c); err != nil {
		return err
	}
	for _, name := range c.Lineage()[1].LocalFlagNames() { // those of the program
		if name != "config" && !slices.Contains(inUnit, name) {
			return cmdline.Usage("--%s and units exclude each other (leave it out)", name)
		}
	}
	machine, err := cmdline.Machine(c, vmconfig.Machine.CheckFiles, consoletest.CheckNames)
	if err != nil {
		return err
	}
	service, err := serviceOf(c, machine)
	if err == nil {
		err = service.Validate()
	}
	if err != nil {
		return cmdline.Status(cmdline.StatusUsage, err)
	}
	if service.System && c.Bool("install") {
		if err := checkAccounts(&service); err != nil {
			return cmdline.Status(cmdline.StatusUsage, err)
		}
	}
	set := units.Set{
		Units: []systemd.Unit{service.Unit()}, System: service.System,
		Stale: func(string) bool { return false }, // the others are those of other VMs
	}
	if !service.System {
		set.Last = "and, to start it at boot, and keep it after you log out:\n  loginctl enable-linger"
	}
	return set.Make(c)
}

// checkAccounts returns an error if the user or the group of a service does not exist on this
// host: systemd would not start it. Without a group kvm, which udev makes, the service does not
// get it.
func checkAccounts(service *systemd.VM) error {
	if service.User != "" {
		if _, err := user.Lookup(service.User); err != nil {
			return fmt.Errorf("user: %q does not exist (create it: useradd --system %s)", service.User, service.User)
		}
	}
	if service.Group != "" {
		if _, err := user.LookupGroup(service.Group); err != nil {
			return fmt.Errorf("group: %q does not exist (create it: groupadd --system %s)", service.Group, service.Group)
		}
	}
	_, err := user.LookupGroup("kvm")
	service.KVM = err == nil
	return nil
}

// serviceOf returns the service of a machine that the flags describe.
func serviceOf(c *cli.Context, machine vmconfig.Machine) (systemd.VM, error) {
	program, err := units.Program(c)
	if err != nil {
		return systemd.VM{}, err
	}
	config, err := filepath.Abs(c.String("config"))
	if err != nil {
		return systemd.VM{}, err
	}
	service := systemd.VM{
		Name: machine.Name, Program: program, Args: []string{"--config", config}, System: c.Bool("system"), KVM: true,
		User: c.String("user"), Group: c.String("group"), Restart: c.String("restart"), RestartSeconds: c.Int("restart-seconds"),
	}
	for _, flag := range inUnit {
		switch {
		case !c.IsSet(flag):
		case flag == "auto-ports":
			service.Args = append(service.Args, "--auto-ports")
		default:
			service.Args = append(service.Args, "--"+flag, c.String(flag))
		}
	}
	if service.System {
		service.Args = append(service.Args, "--no-tcp")
	}
	return service, nil
}
