// Command console-status shows the consoles of running microVMs: where they
// are served, what was printed, and who is attached.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/display"
	"microvm-console/internal/logs"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "console-status",
		Usage: "show the consoles of running microVMs",
		Description: `Shows whether the guest is ready, and for each console its device and endpoints, whether the VM is attached,
the number of the boot, the bytes it has printed, its clients and how far they
are behind, and what was lost, if anything; and what should be known of the guest,
as a process that was killed for want of memory. Without a name, of all VMs that run.

A VM is starting until QEMU runs, then booting, and ready when the guest's agent
answers or a console shows a login. --wait-ready waits for that.

--json prints what the VM's control socket tells, a line of JSON for each VM.
--watch shows it again every second, until the VM has ended or Ctrl-C.

Exit status: 0 done; 2 wrong usage; 3 no such VM, none runs, or one that was waited
for has ended; 5 it was not ready within --timeout.`,
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag("`NAME` of the VM (default: the one in vm.json, or all that run)"),
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
			&cli.BoolFlag{Name: "watch", Usage: "show it again every second"},
			&cli.BoolFlag{Name: "wait-ready", Usage: "wait until the guest is ready"},
			&cli.DurationFlag{Name: "timeout", Usage: "with --wait-ready: wait at most `TIME`"},
		},
		Action: func(c *cli.Context) error {
			if err := cmdline.NoArguments(c); err != nil {
				return err
			}
			name, err := cmdline.MachineName(c)
			if err != nil {
				return err
			}
			if err := waitReady(c, name); err != nil {
				return err
			}
			show := display.Table
			if c.Bool("json") {
				show = display.JSON
			}
			if c.Bool("watch") {
				return watch(c.Context, name, display.New(c.App.Writer, show))
			}
			machines, err := look(c.Context, name)
			if err != nil {
				return err
			}
			return show(c.App.Writer, machines)
		},
	}
}

// waitReady waits until the machine called name, or all that run where it is "",
// are ready, if that is asked for.
func waitReady(c *cli.Context, name string) error {
	limit := c.Duration("timeout")
	switch {
	case c.IsSet("timeout") && limit <= 0:
		return cmdline.Usage("timeout: %v is no time limit (as 30s)", limit)
	case c.IsSet("timeout") && !c.Bool("wait-ready"):
		return cmdline.Usage("--timeout: bounds --wait-ready (give that too)")
	case !c.Bool("wait-ready"):
		return nil
	}
	machines, err := look(c.Context, name)
	if err != nil {
		return err
	}
	ctx, cancel := cmdline.Limited(c.Context, limit, errNotReady)
	defer cancel()
	var group errgroup.Group
	for _, machine := range machines {
		group.Go(func() error { return awaitOne(ctx, limit, machine.Name) })
	}
	return group.Wait()
}

// errNotReady is why a wait ends whose time limit has passed.
var errNotReady = errors.New("not ready")

func awaitOne(ctx context.Context, limit time.Duration, name string) error {
	_, err := ctl.Client{Path: rundir.Of(name).Ctl()}.AwaitReady(ctx)
	switch {
	case errors.Is(err, errNotReady):
		return cmdline.Status(cmdline.StatusTimeout,
			fmt.Errorf("vm %q: not ready within %v (see what it prints: connect-serial)", name, limit))
	case errors.Is(err, ctl.ErrNeverReady):
		return cmdline.Status(cmdline.StatusNoVM, fmt.Errorf("vm %q: %w", name, err))
	}
	return err
}

// look asks the machine called name, or all that run where it is "". It waits
// for one whose start is under way. No machine is an error with its status.
func look(ctx context.Context, name string) ([]state.Machine, error) {
	names := []string{name}
	if running, err := rundir.Running(); err != nil {
		return nil, err
	} else if name == "" && len(running) > 0 {
		names = nil
		for _, machine := range running {
			names = append(names, machine.Name())
		}
	}
	var machines []state.Machine
	var missing error
	for _, name := range names {
		_, status, err := ctl.Find(ctx, name)
		switch {
		case errors.Is(err, ctl.ErrSeveral): // several were just started: look again
			return look(ctx, "")
		case err != nil:
			missing = cmdline.Status(cmdline.StatusNoVM, logs.Explain(err))
		default:
			machines = append(machines, status)
		}
	}
	if len(machines) == 0 {
		return nil, missing
	}
	return machines, nil
}

// watchEvery is the pause between two looks.
const watchEvery = time.Second

// watch shows the machines again and again, until none is left or ctx ends.
// None at first is an error.
func watch(ctx context.Context, name string, d *display.Display) error {
	for first := true; ; first = false {
		machines, err := look(ctx, name)
		if err != nil {
			if first && ctx.Err() == nil {
				return err
			}
			return nil //nolint:nilerr // what was watched has ended, or who watched has left
		}
		if err := d.Show(machines); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
	}
}
