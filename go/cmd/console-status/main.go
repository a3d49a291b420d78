// Command console-status shows the consoles of running microVMs: where they
// are served, what was printed, and who is attached.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/display"
	"microvm-console/internal/rundir"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "console-status",
		Usage: "show the consoles of running microVMs",
		Description: `Shows for each console its device and endpoints, whether the VM is attached,
the number of the boot, the bytes it has printed, its clients and how far they
are behind, and what was lost, if anything. Without a name, of all VMs that run.

--json prints what the VM's control socket tells, a line of JSON for each VM.
--watch shows it again every second, until the VM has ended or Ctrl-C.

Exit status: 0 done; 2 wrong usage; 3 no such VM, or none runs.`,
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag("`NAME` of the VM (default: the one in vm.json, or all that run)"),
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
			&cli.BoolFlag{Name: "watch", Usage: "show it again every second"},
		},
		Action: func(c *cli.Context) error {
			if err := cmdline.NoArguments(c); err != nil {
				return err
			}
			name, err := cmdline.MachineName(c)
			if err != nil {
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

// look asks the machine called name, or all that run where it is "". It waits
// for one whose start is under way. No machine is an error with its status.
func look(ctx context.Context, name string) ([]ctl.Status, error) {
	names := []string{name}
	if running, err := rundir.Running(); err != nil {
		return nil, err
	} else if name == "" && len(running) > 0 {
		names = nil
		for _, machine := range running {
			names = append(names, machine.Name())
		}
	}
	var machines []ctl.Status
	var missing error
	for _, name := range names {
		_, status, err := ctl.Find(ctx, name)
		switch {
		case errors.Is(err, ctl.ErrSeveral): // several were just started: look again
			return look(ctx, "")
		case err != nil:
			missing = cmdline.Status(cmdline.StatusNoVM, err)
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
