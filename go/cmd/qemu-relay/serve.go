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
		Usage:     "serve channels until a signal arrives",
		ArgsUsage: "CHANNEL...",
		Description: `Serves the endpoints of each channel: the FIFOs qemu-CHANNEL.in and .out, the Unix socket
.sock, the terminal .pty, the link .log to the newest part of the journal, and a TCP port
if the settings name one. They exist before, between and after runs of QEMU. Each client
receives the boot from its first byte, then new output.

A service manager is notified when everything is ready, and keeps the endpoints open if
the relay crashes (see qemu-relay units).`,
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
			fmt.Fprintf(c.App.ErrWriter, "%s: %s: %s is not served: %s (it will be retried)\n", c.App.Name, console.Name, name, console.Trouble[name])
		}
	}
	tuneRuntime()
	group, ctx := errgroup.WithContext(c.Context)
	for _, open := range channels {
		group.Go(func() error { return open.Run(ctx) })
	}
	group.Go(func() error { return report(ctx, channels) })
	return group.Wait()
}

// tuneRuntime tunes the Go runtime for a program that nearly always waits and leaves the
// work to the kernel: passing a byte between threads costs more than everything else
// (docs/performance/relay.md). GOMAXPROCS in the environment takes precedence.
func tuneRuntime() {
	debug.SetGCPercent(gcPercent) // an idle relay would keep the garbage of its start
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

// gcPercent is how much garbage there may be, in percent of the live heap, which is small.
const gcPercent = 25

// enabled returns an error unless the settings in the file at path enable all names, and each
// name is listed once.
func enabled(all settings.Settings, path string, names []string) error {
	var errs *multierror.Error
	seen := map[string]bool{}
	for _, name := range names {
		declared, err := all.Channel(name)
		switch {
		case err != nil:
			errs = multierror.Append(errs, err)
		case !declared.Enable:
			errs = multierror.Append(errs, fmt.Errorf("channel %q is disabled (enable it in %s)", name, path))
		case seen[name]:
			errs = multierror.Append(errs, fmt.Errorf("channel %q is listed twice", name))
		}
		seen[name] = true
	}
	return errs.ErrorOrNil()
}

// openChannels opens all channels, or none. log is called with a line when a QEMU starts or
// ends.
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

// failedStart returns err, and sends its first line to the service manager.
func failedStart(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return errors.Join(err, systemd.Notify("STATUS="+line))
}

// statusInterval is how often report sends the status without a watchdog.
const statusInterval = 10 * time.Second

// report notifies the service manager that the channels are ready, and then sends the status
// repeatedly, until ctx is done. While all VM sides are drained it also resets the watchdog
// (WatchdogSec in systemd.service(5)).
func report(ctx context.Context, channels []*relayd.Channel) error {
	if err := systemd.Notify("READY=1"); err != nil {
		return err
	}
	health := make([]relayd.Health, len(channels))
	interval := statusInterval
	if limit := systemd.Watchdog(); limit > 0 {
		interval = min(interval, limit/3)
	}
	for {
		healthy := true
		for i, open := range channels {
			healthy = health[i].Check(open) && healthy
		}
		state := "STATUS=" + summary(channels)
		if healthy {
			state += "\nWATCHDOG=1"
		}
		if err := systemd.Notify(state); err != nil {
			return err
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return systemd.Notify("STOPPING=1")
		}
	}
}

// summary returns the state of the channels in one line.
func summary(channels []*relayd.Channel) string {
	var words []string
	for _, open := range channels {
		status := open.Status()
		relay := status.Consoles[0].Relay
		qemu := "no QEMU"
		if relay.Attached {
			qemu = "QEMU is running"
		}
		lost, unknown := relay.Lost()
		words = append(words, fmt.Sprintf("%s: %s, boot %d, %d bytes, %d clients, %d bytes lost",
			status.Name, qemu, relay.Boot, relay.End-relay.Start, len(relay.Clients), lost))
		if unknown {
			words[len(words)-1] += " and perhaps more"
		}
	}
	return strings.Join(words, "; ")
}
