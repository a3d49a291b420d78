// Command console-status prints the state of the consoles of running microVMs, and of the
// channels of qemu-relay: their endpoints, how much was printed, and their clients.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/display"
	"microvm-console/internal/logs"

	"microvm-console/internal/state"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "console-status",
		Usage: "show the consoles of running microVMs, and the channels of qemu-relay",
		Description: `Shows whether the guest is ready, and for each console its device and endpoints, whether QEMU is running,
the number of the boot, the bytes it has printed, its clients and their lag,
and how many bytes were lost, if any; and what should be known of the guest, as a
process that was killed for want of memory. Without a name, it shows every VM and
every channel of yours that is running.

A VM is starting until QEMU runs, then booting, and ready when the guest's agent
answers or a console shows a login. --wait-ready waits for that.

--json prints the answer of the control socket: of one VM or one channel, if it is
named, else {"vms": [...], "channels": [...]}.
--watch shows it again every second, until what it shows has ended or Ctrl-C.

Exit status: 0 done; 1 a VM or a channel does not answer; 2 wrong usage; 3 no such VM
or channel, or none is running, or a VM that was waited for has ended; 5 it was not
ready within --timeout.`,
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag("`NAME` of the VM (default: the one in vm.json, or all VMs and channels)"),
			&cli.StringFlag{Name: "channel", Usage: "show the channel `NAME` of qemu-relay"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
			&cli.BoolFlag{Name: "watch", Usage: "show it again every second"},
			&cli.BoolFlag{Name: "wait-ready", Usage: "wait until the guest is ready"},
			&cli.DurationFlag{Name: "timeout", Usage: "with --wait-ready: wait at most `TIME`"},
		},
		Action: run,
	}
}

func run(c *cli.Context) error {
	if err := cmdline.NoArguments(c); err != nil {
		return err
	}
	t, err := targetOf(c)
	if err != nil {
		return err
	}
	if err := waitReady(c, t); err != nil {
		return err
	}
	print := func(w io.Writer, all state.All) error {
		return t.print(w, all, c.Bool("json"), display.ScreenOf(c.App.Writer))
	}
	if c.Bool("watch") {
		return watch(c.Context, t, display.New(c.App.Writer), print)
	}
	all, err := t.ask(c.Context)
	if len(all.VMs)+len(all.Channels) == 0 {
		return cmdline.Status(cmdline.StatusNoVM, logs.Explain(err))
	}
	return errors.Join(err, print(c.App.Writer, all))
}

// targetOf returns the target that the flags choose.
func targetOf(c *cli.Context) (target, error) {
	t := target{channel: c.String("channel")}
	if !c.IsSet("channel") {
		var err error
		t.vm, err = cmdline.MachineName(c)
		return t, err
	}
	switch err := logs.CheckChannel(t.channel); {
	case err != nil:
		return t, cmdline.Status(cmdline.StatusUsage, err)
	case c.IsSet("name"):
		return t, cmdline.Usage("--channel and --name: a channel does not belong to a VM (give one of them)")
	case c.Bool("wait-ready"):
		return t, cmdline.Usage("--channel and --wait-ready: only a VM becomes ready (give one of them)")
	}
	return t, nil
}

// print prints the result of ask for a screen, or as JSON.
func (t target) print(w io.Writer, all state.All, json bool, screen display.Screen) error {
	switch {
	case !json:
		return display.Table(w, all, screen)
	case t.vm != "":
		return display.JSON(w, all.VMs[0])
	case t.channel != "":
		return display.JSON(w, all.Channels[0])
	}
	return display.JSON(w, all)
}

// watchEvery is the pause between two prints of --watch.
const watchEvery = time.Second

// watch prints the target again and again, until nothing of it is running or ctx ends. It
// returns an error if nothing is running at first.
func watch(ctx context.Context, t target, d *display.Display, print func(io.Writer, state.All) error) error {
	for first := true; ; first = false {
		all, err := t.ask(ctx)
		if len(all.VMs)+len(all.Channels) == 0 {
			if first && ctx.Err() == nil {
				return cmdline.Status(cmdline.StatusNoVM, logs.Explain(err))
			}
			return nil
		}
		if err := d.Show(func(w io.Writer) error { return print(w, all) }); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
	}
}

// errNotReady is the cause of a wait that ends with its time limit.
var errNotReady = errors.New("not ready")

// waitReady waits until the VMs of a target are ready, if --wait-ready is given.
func waitReady(c *cli.Context, t target) error {
	limit := c.Duration("timeout")
	switch {
	case c.IsSet("timeout") && limit <= 0:
		return cmdline.Usage("invalid timeout %v: must be positive, e.g. 30s", limit)
	case c.IsSet("timeout") && !c.Bool("wait-ready"):
		return cmdline.Usage("--timeout needs --wait-ready")
	case !c.Bool("wait-ready"):
		return nil
	}
	ctx, cancel := cmdline.Limited(c.Context, limit, errNotReady)
	defer cancel()
	err := t.awaitReady(ctx)
	if errors.Is(err, errNotReady) {
		return cmdline.Status(cmdline.StatusTimeout, fmt.Errorf("%w within %v (connect-serial shows what it prints)", err, limit))
	}
	return err
}
