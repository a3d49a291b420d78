// Command microvm-run starts a microVM in the foreground and stays until it
// ends.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/qemu"
	"microvm-console/internal/rundir"
	"microvm-console/internal/spec"
	"microvm-console/internal/vm"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "microvm-run",
		Usage:     "start a microVM in the foreground and stay until it ends",
		ArgsUsage: "[-- QEMU arguments...]",
		Description: `What the consoles print is kept from the first byte, and served to any number
of clients on TCP ports of localhost and on Unix sockets; each is told in a
line when the VM runs. Ctrl-C stops the VM as
microvm-shutdown does, a second Ctrl-C ends it at once. QEMU never outlives
this program.

Exit status: 0 the guest powered off or was stopped; 1 an error; 2 wrong usage
or a wrong vm.json; 4 the guest panicked.`,
		Flags: append(cmdline.MachineFlags(),
			&cli.BoolFlag{Name: "auto-ports", Usage: "take a free port where the one in vm.json is taken"},
			&cli.BoolFlag{Name: "no-relay", Usage: "have QEMU serve the ports itself: one client each, nothing kept"},
			&cli.BoolFlag{Name: "check", Usage: "tell every mistake in vm.json and exit"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print the QEMU command line, as it can be run by hand, and exit"},
		),
		Action: run,
	}
}

func run(c *cli.Context) error {
	extra, err := cmdline.AfterDash(c)
	if err != nil {
		return err
	}
	machine, err := cmdline.Machine(c)
	switch {
	case err != nil:
		return err
	case c.Bool("check"):
		_, err = fmt.Fprintf(c.App.Writer, "%s: no mistakes\n", c.String("config"))
		return err
	case c.Bool("dry-run"):
		return dryRun(c, machine, extra)
	}
	v := vm.New(machine, vm.Options{
		QEMUArgs:  extra,
		AutoPorts: c.Bool("auto-ports"),
		NoRelay:   c.Bool("no-relay"),
		Log:       func(line string) { fmt.Fprintf(c.App.Writer, "%s: %s\n", c.App.Name, line) },
	})
	var group errgroup.Group
	group.Go(func() error { return announce(c, v) })
	group.Go(func() error { return v.Run(c.Context) })
	return explain(c, group.Wait())
}

// announce prints one line per endpoint once the VM runs.
func announce(c *cli.Context, v *vm.VM) error {
	select {
	case <-v.Ready():
	case <-v.Finished():
		return nil
	}
	for _, console := range v.Status().Consoles {
		socket := ""
		if console.Relay != nil {
			socket = ", unix " + console.Relay.Socket
		}
		_, err := fmt.Fprintf(c.App.Writer, "%-8s %-6s tcp localhost:%d%s\n", console.Name, console.Device, console.Port, socket)
		if err != nil {
			return err
		}
	}
	return nil
}

// explain shows a panic's last lines, and gives an error of Run its status.
func explain(c *cli.Context, err error) error {
	var panicked *vm.PanicError
	switch {
	case errors.As(err, &panicked):
		panicked.Show(c.App.ErrWriter)
		return cmdline.Status(cmdline.StatusPanic, err)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted before the VM had started")
	}
	return err
}

// dryRun prints QEMU's command line for a shell, an option on each line.
func dryRun(c *cli.Context, machine spec.Machine, extra []string) error {
	host, _, err := vm.Plan(c.Context, machine)
	if err != nil {
		return err
	}
	if !c.Bool("no-relay") {
		host.Pipe = vm.Pipe(rundir.Of(machine.Name))
	}
	_, err = fmt.Fprintln(c.App.Writer, qemu.Shell(append(qemu.Args(machine, host), extra...)))
	return err
}
