package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/display"
	"microvm-console/internal/settings"
	"microvm-console/internal/state"
)

func status() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "show the channels, their endpoints and their clients",
		ArgsUsage: "[CHANNEL...]",
		Description: `Shows for each channel whether QEMU is running, the number of the boot, the bytes printed,
the clients and their lag, and the bytes that were lost, if any.

--json prints the answers of the relays' control sockets, one line of JSON for each.`,
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
	channels, running, err := ask(c.Context, all, names)
	if err != nil {
		return err
	}
	if err := show(c, channels); err != nil {
		return err
	}
	if running == 0 {
		return cmdline.Status(cmdline.StatusNoVM, fmt.Errorf("no relay is running (start one with systemctl --user start qemu-%s-relay.service, or qemu-relay serve %s)", names[0], names[0]))
	}
	return nil
}

// show prints channels as a table, or those whose relays are running as JSON.
func show(c *cli.Context, channels []state.Machine) error {
	if !c.Bool("json") {
		return display.Table(c.App.Writer, state.All{Channels: channels}, display.ScreenOf(c.App.Writer))
	}
	for _, channel := range channels {
		if channel.State == "" {
			continue
		}
		if err := display.JSON(c.App.Writer, channel); err != nil {
			return err
		}
	}
	return nil
}

// ask returns the status of channels, and how many of their relays are running. A channel
// without a running relay has a console without a Relay.
func ask(ctx context.Context, all settings.Settings, names []string) (channels []state.Machine, running int, err error) {
	for _, name := range names {
		_, status, err := ctl.FindChannel(ctx, name)
		switch {
		case errors.Is(err, ctl.ErrNotRunning):
			channels = append(channels, state.Machine{Consoles: []state.Console{{Name: name, Device: all.Option(name)}}})
		case err != nil:
			return nil, 0, err
		default:
			channels, running = append(channels, status), running+1
		}
	}
	return channels, running, nil
}
