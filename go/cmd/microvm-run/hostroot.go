package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/consoletest"
	"microvm-console/internal/hostroot"
	"microvm-console/internal/journal"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vmconfig"
)

// checkHostRootFlags returns an error if a flag needs --host-root.
func checkHostRootFlags(c *cli.Context) error {
	switch {
	case c.Bool("host-root"):
	case c.IsSet("kernel"):
		return cmdline.Usage("--kernel needs --host-root (the kernel of another VM is in its vm.json)")
	case c.IsSet("writable"):
		return cmdline.Usage("--writable needs --host-root (vm.json lists the directories of another VM in shares)")
	}
	return nil
}

// hostRoot returns the guest of --host-root. Its errors have status StatusUsage.
func hostRoot(c *cli.Context) (*hostroot.Guest, error) {
	machine, err := hostRootMachine(c)
	if err != nil {
		return nil, err
	}
	guest, err := hostroot.New(machine, c.StringSlice("writable"), !c.Bool("exec"))
	if err != nil {
		return nil, cmdline.Status(cmdline.StatusUsage, err)
	}
	return guest, cmdline.Status(cmdline.StatusUsage, guest.Machine.CheckFiles())
}

// hostRootMachine returns the VM of --host-root: that of a vm.json, or the default one.
func hostRootMachine(c *cli.Context) (vmconfig.Machine, error) {
	kernel := c.String("kernel")
	if c.String("config") != "" {
		machine, err := cmdline.Machine(c, consoletest.CheckNames)
		if kernel != "" {
			machine.Kernel = kernel
		}
		return machine, err
	}
	if kernel == "" {
		var err error
		if kernel, err = hostroot.HostKernel(); err != nil {
			return vmconfig.Machine{}, cmdline.Status(cmdline.StatusUsage, err)
		}
	}
	machine, err := hostroot.Default(kernel)
	if err != nil {
		return machine, err
	}
	return machine, cmdline.SetMachine(c, &machine)
}

// withFreeName calls start with the machine, and again under another name as long as the name is
// taken: by a VM that runs, or by one with another runtime folder whose journals are in the same
// place. With --name, it calls start once.
func withFreeName(c *cli.Context, machine vmconfig.Machine, start func(vmconfig.Machine) error) error {
	base := machine.Name
	for n := 2; ; n++ {
		err := start(machine)
		taken := errors.Is(err, rundir.ErrLocked) || errors.Is(err, journal.ErrInUse)
		if !taken || c.IsSet("name") {
			return err
		}
		machine.Name = fmt.Sprintf("%s-%d", base, n)
		if err := vmconfig.CheckName(machine.Name); err != nil {
			return cmdline.Status(cmdline.StatusUsage, err)
		}
	}
}
