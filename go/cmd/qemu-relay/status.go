package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/display"
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
	"microvm-console/internal/state"
)

func status() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "show the channels, their endpoints and their clients",
		ArgsUsage: "[CHANNEL...]",
		Description: `Shows for each channel whether a VM is attached, the number of the boot, the bytes
it has printed, who reads and how far behind, and what was lost, if anything.

--json prints what the relays' control sockets tell, a line of JSON for each.

Exit status: 0 done; 2 wrong usage or settings; 3 none of the channels has a
relay.`,
		Flags: []cli.Flag{
			configFlag(),
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: showStatus,
	}
}

func showStatus(c *cli.Context) error {
	names, err := cmdline.Arguments(c, c.NArg())
	if err != nil {
		return err
	}
	all, path, err := settings.Find(c.String("config"))
	if err == nil {
		err = enabled(all, path, names)
	}
	if err != nil {
		return cmdline.Status(cmdline.StatusUsage, err)
	}
	if len(names) == 0 {
		names = all.Names()
	}
	running, consoles, err := ask(c.Context, names)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = display.JSON(c.App.Writer, running)
	} else {
		err = display.Consoles(c.App.Writer, consoles)
	}
	if err == nil && len(running) == 0 {
		err = cmdline.Status(cmdline.StatusNoVM, fmt.Errorf("no relay runs (start one with systemctl --user start qemu-%s-relay.service, or qemu-relay serve %s)", names[0], names[0]))
	}
	return err
}

// ask asks the relays of the channels. One without a relay has a console without
// one.
func ask(ctx context.Context, names []string) (running []state.Machine, consoles []state.Console, err error) {
	for _, name := range names {
		dir := rundir.OfChannel(name)
		if !dir.Running() {
			consoles = append(consoles, state.Console{Name: name, Device: "-" + name})
			continue
		}
		status, err := ctl.Client{Path: dir.Ctl()}.Status(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("channel %q: %w", name, err)
		}
		running, consoles = append(running, status), append(consoles, status.Consoles...)
	}
	return running, consoles, nil
}
