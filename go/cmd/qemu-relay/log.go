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
		Usage:     "print a boot of a channel",
		ArgsUsage: "CHANNEL",
		Description: `Prints a boot from its first byte, and ends. The relay need not run. If stdout is not a
terminal, the output is exactly what QEMU wrote. To follow new output, use tail -F on
the channel's .log, or connect to its socket. console-log --channel does the same,
lists the boots and follows them.`,
		Flags: []cli.Flag{
			configFlag(),
			cmdline.BootFlag(),
			cmdline.TimestampsFlag(),
			cmdline.RawFlag(""),
		},
		Action: printLog,
	}
}

func printLog(c *cli.Context) error {
	names, err := cmdline.Arguments(c, 1)
	if err != nil {
		return err
	}
	boot, err := cmdline.Boot(c)
	if err != nil {
		return err
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
		Program: c.App.Name, Boot: boot, Timestamps: c.Bool("timestamps"), Raw: c.Bool("raw"), Color: cmdline.Color(os.Stdout),
	}
	return attach.WithStatus(attach.ShowBoot(channel, o, os.Stdout, c.App.ErrWriter))
}
