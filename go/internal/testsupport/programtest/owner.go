package programtest

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/state"
	"microvm-console/internal/vm"
	"microvm-console/internal/vmconfig"
)

// owner is a minimal program that runs a VM: `owner --config FILE`. With --for it stops the VM after
// a duration.
func owner() *cli.App {
	flags := append(cmdline.MachineFlags(), &cli.BoolFlag{Name: "no-relay"}, &cli.DurationFlag{Name: "for"})
	return &cli.App{Name: "owner", Flags: flags, Action: func(c *cli.Context) error {
		machine, err := cmdline.Machine(c, vmconfig.Machine.CheckFiles)
		if err != nil {
			return err
		}
		ctx := c.Context
		if c.IsSet("for") {
			limited, cancel := context.WithTimeout(ctx, c.Duration("for"))
			defer cancel()
			ctx = limited
		}
		return vm.New(machine, vm.Options{AutoPorts: true, NoRelay: c.Bool("no-relay")}).Run(ctx)
	}}
}

// await waits until VMs run: `await NAME...`. With --ready it waits until their guests are ready.
func await() *cli.App {
	flags := []cli.Flag{&cli.BoolFlag{Name: "ready"}}
	return &cli.App{Name: "await", Flags: flags, Action: func(c *cli.Context) error {
		for _, name := range c.Args().Slice() {
			for is := state.Starting; is == state.Starting || c.Bool("ready") && is != state.Ready; {
				_, status, err := ctl.Find(c.Context, name)
				if err != nil {
					return fmt.Errorf("await: %w", err)
				}
				is = status.State
			}
		}
		return nil
	}}
}
