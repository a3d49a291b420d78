package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/relayd"
	"microvm-console/internal/settings"
	"microvm-console/internal/systemd"
)

func serve() *cli.Command {
	return &cli.Command{
		Name:      "serve",
		Usage:     "relay channels until a signal comes",
		ArgsUsage: "CHANNEL...",
		Description: `Serves the endpoints of each channel: the FIFOs qemu-CHANNEL.in and .out, the Unix
socket .sock, the terminal .pty, the link .log to the newest part of the stream,
and a TCP port where the settings name one. They are there before, between and
after VMs; each client gets the boot from its first byte, then what comes.

A service manager is told when all is ready, and keeps the endpoints open over a
crash (see qemu-relay units).`,
		Flags:  []cli.Flag{configFlag()},
		Action: serveChannels,
	}
}

func serveChannels(c *cli.Context) error {
	names, err := cmdline.SomeArguments(c)
	if err != nil {
		return err
	}
	all, path, err := settings.Find(c.String("config"))
	if err == nil {
		err = enabled(all, path, names)
	}
	if err != nil {
		return failedStart(cmdline.Status(cmdline.StatusUsage, err))
	}
	log := func(line string) { fmt.Fprintf(c.App.ErrWriter, "%s: %s\n", c.App.Name, line) }
	channels, err := openChannels(all, names, log)
	if err != nil {
		return failedStart(err)
	}
	for _, open := range channels {
		endpoints := open.Status().Consoles[0].Endpoints
		fmt.Fprintf(c.App.Writer, "%s: %s, %s, %s, %s, %s\n", open.Status().Name,
			endpoints["in"], endpoints["out"], endpoints["sock"], endpoints["pty"], endpoints["log"])
	}
	for _, open := range channels {
		console := open.Status().Consoles[0]
		for _, name := range console.Missing {
			fmt.Fprintf(c.App.ErrWriter, "%s: %s: %s is not served: %s (it is tried again)\n", c.App.Name, console.Name, name, console.Trouble[name])
		}
	}
	beSmall()
	group, ctx := errgroup.WithContext(c.Context)
	for _, open := range channels {
		group.Go(func() error { return open.Run(ctx) })
	}
	group.Go(func() error { return report(ctx, channels) })
	return group.Wait()
}

// beSmall suits the Go runtime to a program that waits nearly always, and whose work
// is done by the kernel: handing a byte from one thread to another costs more than
// all else (docs/performance/relay.md). GOMAXPROCS in the environment wins.
func beSmall() {
	debug.SetGCPercent(collectAt) // or an idle relay keeps what its start has left
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

// collectAt is how much garbage there may be, in percent of what is in use. There
// is little of either.
const collectAt = 25

// enabled is an error unless the settings in the file at path enable all names,
// each of which stands once.
func enabled(all settings.Settings, path string, names []string) error {
	var errs *multierror.Error
	seen := map[string]bool{}
	for _, name := range names {
		declared, err := all.Channel(name)
		switch {
		case err != nil:
			errs = multierror.Append(errs, err)
		case !declared.Enable:
			errs = multierror.Append(errs, fmt.Errorf("channel %q: is not enabled (see %s)", name, path))
		case seen[name]:
			errs = multierror.Append(errs, fmt.Errorf("channel %q: stands there twice", name))
		}
		seen[name] = true
	}
	return errs.ErrorOrNil()
}

// openChannels opens all channels, or none. log gets a line when a QEMU comes or goes.
func openChannels(all settings.Settings, names []string, log func(string)) ([]*relayd.Channel, error) {
	store := relayd.FDStore{Kept: systemd.Stored()}
	if os.Getenv("NOTIFY_SOCKET") != "" {
		store.Keep, store.Forget = systemd.Store, systemd.Forget
	}
	var channels []*relayd.Channel
	for _, name := range names {
		open, err := relayd.Open(relayd.Config{Name: name, Settings: all, Store: store, Log: log})
		if err != nil {
			for _, open := range channels {
				open.Abandon()
			}
			return nil, err
		}
		channels = append(channels, open)
	}
	return channels, nil
}

// failedStart tells the service manager why there is no start.
func failedStart(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return errors.Join(err, systemd.Notify("STATUS="+line))
}

// statusEvery is how often the service manager is told the state where it has
// no watchdog.
const statusEvery = 10 * time.Second

// report tells the service manager that all is ready, and then again and again
// how it goes, as long as all VM sides are drained; see systemd's WatchdogSec.
func report(ctx context.Context, channels []*relayd.Channel) error {
	if err := systemd.Notify("READY=1"); err != nil {
		return err
	}
	health := make([]relayd.Health, len(channels))
	every := statusEvery
	if limit := systemd.Watchdog(); limit > 0 {
		every = min(every, limit/3)
	}
	for {
		well := true
		for i, open := range channels {
			well = health[i].Check(open) && well
		}
		state := "STATUS=" + summary(channels)
		if well {
			state += "\nWATCHDOG=1"
		}
		if err := systemd.Notify(state); err != nil {
			return err
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return systemd.Notify("STOPPING=1")
		}
	}
}

// summary is the state of the channels in a line.
func summary(channels []*relayd.Channel) string {
	var words []string
	for _, open := range channels {
		status := open.Status()
		relay := status.Consoles[0].Relay
		vm := "no VM"
		if relay.Attached {
			vm = "a VM is attached"
		}
		words = append(words, fmt.Sprintf("%s: %s, boot %d, %d bytes, %d clients, %d gaps",
			status.Name, vm, relay.Boot, relay.End-relay.Start, len(relay.Clients), len(relay.Gaps)))
	}
	return strings.Join(words, "; ")
}
