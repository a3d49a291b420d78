package main

import (
	"context"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/guestcommand"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vm"
)

// execute starts v, the VM with a name, runs a command in its guest, and stops it.
func execute(c *cli.Context, v *vm.VM, name string, command []string) error {
	limit, err := cmdline.Timeout(c)
	if err != nil {
		return err
	}
	var group errgroup.Group
	var ran error
	group.Go(func() error {
		ctx, cancel := cmdline.Limited(c.Context, limit, guestcommand.ErrTimeLimit)
		defer cancel()
		// Run returns how the stop went.
		defer func() { _, _ = v.Stop(context.WithoutCancel(c.Context), ctl.StopRequest{}) }()
		ran = guestcommand.Ended(ctx, command[0], limit, runCommand(ctx, c, v, name, command))
		return nil
	})
	ended := explain(c, v.Run(c.Context))
	_ = group.Wait() // it returns no error
	if ended != nil {
		return ended // the command was not run, or did not end
	}
	return ran
}

// runCommand runs a command once the guest is ready. With --gdb it prints the endpoints first,
// since the guest does not start without gdb.
func runCommand(ctx context.Context, c *cli.Context, v *vm.VM, name string, command []string) error {
	if c.Bool("gdb") && !c.Bool("quiet") {
		if _, err := showEndpoints(c.App.ErrWriter, v); err != nil {
			return err
		}
	}
	if err := v.AwaitReady(ctx); err != nil {
		return fmt.Errorf("%s: %w", command[0], guestcommand.NotReady(err))
	}
	return guestcommand.Run(ctx, ctl.Client{Path: rundir.Of(name).Ctl()}, command, guestcommand.Streams{
		In: os.Stdin, Out: c.App.Writer, Err: c.App.ErrWriter, Raw: c.Bool("raw"), Program: c.App.Name,
	})
}
