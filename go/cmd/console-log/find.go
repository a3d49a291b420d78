package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/logs"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vmconfig"
)

// find returns the log that the options select, and the consoles of its VM; nil if they are unknown.
// The VM or channel need not run.
func find(ctx context.Context, o options) (logs.Log, []vmconfig.Console, error) {
	machine, channel := o.place.Machine, o.place.Channel
	if machine == "" && channel == "" {
		var err error
		if machine, channel, err = running(o); err != nil {
			return logs.Log{}, nil, err
		}
	}
	if channel != "" {
		log, err := logs.OfChannel(channel)
		return log, nil, err
	}
	consoles := o.consoles
	if consoles == nil {
		consoles = consolesOf(ctx, machine)
	}
	log, err := logs.OfConsole(machine, o.place.Console, consoles)
	return log, consoles, err
}

// running returns the only VM that runs or, if none does, the default channel. If the relay
// of that does not run either, the error lists all logs.
func running(o options) (machine, channel string, err error) {
	machines, err := rundir.Running()
	if err != nil {
		return "", "", err
	}
	switch {
	case len(machines) == 1:
		return machines[0].Name(), "", nil
	case len(machines) > 1:
		names := make([]string, len(machines))
		for i, machine := range machines {
			names[i] = machine.Name()
		}
		return "", "", fmt.Errorf("%w: %s (pick one with --name)", ctl.ErrSeveral, strings.Join(names, ", "))
	case o.place.Console == "" && rundir.OfChannel(ownChannel).Running():
		return "", ownChannel, nil
	}
	names, channels, err := logs.All()
	if err != nil {
		return "", "", err
	}
	var choice []string
	for _, name := range names {
		choice = append(choice, "--name "+name)
	}
	for _, name := range channels {
		choice = append(choice, "--channel "+name)
	}
	if len(choice) == 0 {
		return "", "", fmt.Errorf("no VM is running, and %w (start one with microvm-run)", logs.ErrNone)
	}
	return "", "", cmdline.Status(cmdline.StatusNoVM, fmt.Errorf("no VM is running (pick a log: %s)", strings.Join(choice, ", ")))
}

// withFile returns the error of find. It has a hint if the console is the name of a file.
func withFile(c *cli.Context, console string, err error) error {
	if info, missing := os.Stat(console); missing != nil || !info.Mode().IsRegular() {
		return err
	}
	use := "--file " + console
	if !c.Bool("events") && !c.Bool("verdict") && !c.IsSet("decode") {
		use = "--events or --verdict with " + use
	}
	return fmt.Errorf("%w; %q is a file (use %s)", err, console, use)
}

// consolesOf returns the consoles of a VM that runs; nil if they are unknown.
func consolesOf(ctx context.Context, machine string) []vmconfig.Console {
	status, err := ctl.Client{Path: rundir.Find(machine).Ctl()}.Status(ctx)
	if err != nil {
		return nil
	}
	var consoles []vmconfig.Console
	for _, console := range status.Consoles {
		consoles = append(consoles, vmconfig.Console{Name: console.Name, Device: console.Device})
	}
	return consoles
}
