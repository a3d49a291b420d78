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
		Description: `Shows whether the guest is ready and, for each console: its device and endpoints, whether
QEMU is running, the number of the boot, the bytes printed, the clients and their lag, and
the bytes that were lost, if any. Notes report problems of the guest, such as a process that
was killed because memory ran out. Without --name and --channel, all running VMs and
channels of this user are shown, and the system services that the user may use.

A VM is starting until QEMU runs, then booting, and ready when the guest's agent answers or
a console shows a login prompt. --wait-ready waits for that.

--json prints the answer of the control socket: one VM or one channel if it is named, else
{"vms": [...], "channels": [...]}. --watch shows the status again every second, until
Ctrl-C or until nothing that it shows is running.`,
		Metadata: cmdline.Manual{
			Exit: []cmdline.Entry{
				{Term: "0", Text: "success"},
				{Term: "1", Text: "a VM or a channel does not answer"},
				{Term: "2", Text: "wrong usage"},
				{Term: "3", Text: "no such VM or channel, none is running, or the VM ended during --wait-ready"},
				{Term: "5", Text: "the VM was not ready within --timeout"},
			},
			Files: []cmdline.Entry{cmdline.RuntimeFiles, cmdline.ChannelRuntimeFiles},
			Examples: []cmdline.Entry{
				{Term: "console-status --watch", Text: "Watch all VMs and channels"},
				{Term: "console-status --name demo --wait-ready --timeout 1m", Text: "Wait in a script until the guest is ready"},
				{Term: "console-status --name demo --json", Text: "Print the status as JSON"},
			},
			SeeAlso: []string{"connect-serial(1)", "console-log(1)", "microvm-run(1)", "qemu-relay(1)"},
		}.Metadata(),
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag("all VMs and channels"),
			cmdline.ChannelFlag("show", ""),
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
			&cli.BoolFlag{Name: "watch", Usage: "show the status again every second"},
			cmdline.WaitReadyFlag(),
			cmdline.TimeoutFlag(0, "with --wait-ready: wait at most `TIME`"),
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
	chosen, err := cmdline.TargetOf(c)
	if err == nil && chosen.Channel != "" && c.Bool("wait-ready") {
		err = cmdline.Usage("--channel and --wait-ready: only a VM becomes ready (use one of them)")
	}
	return target{vm: chosen.VM, channel: chosen.Channel}, err
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
	limit, err := cmdline.Timeout(c)
	switch {
	case err != nil:
		return err
	case c.IsSet("timeout") && !c.Bool("wait-ready"):
		return cmdline.Usage("--timeout needs --wait-ready")
	case !c.Bool("wait-ready"):
		return nil
	}
	ctx, cancel := cmdline.Limited(c.Context, limit, errNotReady)
	defer cancel()
	err = t.awaitReady(ctx)
	if errors.Is(err, errNotReady) {
		return cmdline.Status(cmdline.StatusTimeout, fmt.Errorf("%w within %v (connect-serial shows what it prints)", err, limit))
	}
	return err
}
