package main

import (
	"os"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/attach"
	"microvm-console/internal/cmdline"
	"microvm-console/internal/logs"
	"microvm-console/internal/settings"
)

func log() *cli.Command {
	return &cli.Command{
		Name:      "log",
		Usage:     "print what a channel has printed in a boot",
		ArgsUsage: "CHANNEL",
		Description: `Prints a boot from its first byte, and ends: the relay need not run. Elsewhere than
on a terminal the bytes are exactly those that QEMU wrote. To follow what comes,
use tail -F on the channel's .log, or connect to its socket. console-log --channel
does the same, lists the boots and follows them.`,
		Flags: []cli.Flag{
			configFlag(),
			&cli.IntFlag{Name: "boot", Usage: "print boot `N`: 0 is the newest, -1 the one before"},
			&cli.BoolFlag{Name: "timestamps", Usage: "begin each line with the time at which it came"},
			&cli.BoolFlag{Name: "raw", Usage: "show on a terminal everything that the guest printed"},
		},
		Action: printLog,
	}
}

func printLog(c *cli.Context) error {
	names, err := cmdline.Arguments(c, 1)
	if err != nil {
		return err
	}
	boot := c.Int("boot")
	if boot > 0 {
		return cmdline.Usage("invalid boot %d: 0 is the newest one, -1 the one before", boot)
	}
	all, _, err := settings.Find(c.String("config"))
	if err == nil {
		_, err = all.Channel(names[0])
	}
	if err != nil {
		return cmdline.Status(cmdline.StatusUsage, err)
	}
	channel, err := logs.OfChannel(names[0])
	if err != nil {
		return attach.WithStatus(err)
	}
	o := attach.Options{
		Program: c.App.Name, Boot: boot, Timestamps: c.Bool("timestamps"), Raw: c.Bool("raw"), Colour: cmdline.Colour(os.Stdout),
	}
	return attach.WithStatus(attach.ShowBoot(channel, o, os.Stdout, c.App.ErrWriter))
}
