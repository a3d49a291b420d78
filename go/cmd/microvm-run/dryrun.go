package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/qemu"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vm"
	"microvm-console/internal/vmconfig"
)

// dryRun prints QEMU's command line for a shell, one option per line.
func dryRun(c *cli.Context, machine vmconfig.Machine, extra []string) error {
	machine, err := machine.ChooseDrivers()
	if err != nil {
		return err
	}
	host, _, err := vm.Plan(c.Context, machine)
	if err != nil {
		return err
	}
	if err := dryRunShares(c, machine); err != nil {
		return err
	}
	if c.Bool("host-root") {
		machine.Initrd = rundir.Of(machine.Name).Initrd()
	}
	if !c.Bool("no-relay") {
		host.Pipe = vm.Pipe(rundir.Of(machine.Name))
	}
	if host.OwnDisk, err = vm.OwnDisks(machine); err != nil {
		return err
	}
	args := qemu.Args(machine, host)
	if c.Bool("gdb") || machine.GDB {
		args = append(args, qemu.GDB(rundir.Of(machine.Name).GDB(), 0, c.Bool("gdb"))...)
	}
	_, err = fmt.Fprintln(c.App.Writer, qemu.Shell(append(args, extra...)))
	return err
}

// dryRunShares prints commands that serve the VM's shares in the background, for those that QEMU
// does not serve itself.
func dryRunShares(c *cli.Context, machine vmconfig.Machine) error {
	commands, err := vm.ShareCommands(c.Context, machine)
	if err != nil || len(commands) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(c.App.Writer, qemu.Shell([]string{"mkdir", "-p", rundir.Of(machine.Name).Path()})); err != nil {
		return err
	}
	for _, command := range commands {
		if _, err := fmt.Fprintln(c.App.Writer, qemu.Shell(command), "&"); err != nil {
			return err
		}
	}
	return nil
}
