package attach

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

const (
	// startLimit is how long a machine may take that says it is starting.
	startLimit = 30 * time.Second
	// lookEvery is how often it is looked at, and the pause before a
	// connection is made again.
	lookEvery = 100 * time.Millisecond
	// comeBack is how long a machine is waited for that was there.
	comeBack = 5 * time.Second
	// maxTries is how often in a row a connection may break that has brought
	// nothing.
	maxTries = 20
)

// target is a console of a running machine.
type target struct {
	client  ctl.Client
	name    string        // of the machine, or qemu-relay
	channel bool          // it is no machine's
	console state.Console // with its Relay
}

// who names the target in an error.
func (t target) who() string {
	if t.channel {
		return fmt.Sprintf("channel %q", t.console.Name)
	}
	return fmt.Sprintf("vm %q", t.name)
}

// errStarting tells that a machine has no relays yet.
var errStarting = errors.New("is still starting")

// locate finds the console of the options on the machine called name, or on the
// only one that runs where that is empty, and waits for a machine whose start
// is under way. Its errors have their exit status.
func (s *session) locate(ctx context.Context, name string) (target, error) {
	begin := time.Now()
	for {
		client, status, err := ctl.Find(ctx, name)
		switch {
		case errors.Is(err, ctl.ErrSeveral):
			return target{}, cmdline.Status(cmdline.StatusUsage, err)
		case ctx.Err() != nil:
			return target{}, fmt.Errorf("interrupted: %w", context.Cause(ctx))
		case err != nil:
			return target{}, cmdline.Status(cmdline.StatusNoVM, err)
		}
		t, err := consoleOf(client, status, s.options.Device)
		if !errors.Is(err, errStarting) || time.Since(begin) > startLimit {
			return t, err
		}
		wait(ctx, lookEvery)
	}
}

// find finds the console, or the channel, of the options.
func (s *session) find(ctx context.Context) (target, error) {
	channel, err := s.channel()
	switch {
	case err != nil:
		return target{}, err
	case channel != "":
		return locateChannel(ctx, channel)
	}
	return s.locate(ctx, s.options.Machine)
}

// channel is the channel to attach to; "" for a machine: the one of the options,
// or, where nothing was named and no machine runs, the one that stands for the
// console.
func (s *session) channel() (string, error) {
	if s.options.Channel != "" || s.options.Machine != "" || s.options.OwnChannel == "" {
		return s.options.Channel, nil
	}
	machines, err := rundir.Running()
	if err != nil || len(machines) > 0 || !rundir.OfChannel(s.options.OwnChannel).Running() {
		return "", err
	}
	return s.options.OwnChannel, nil
}

// locateChannel finds the relay of a channel.
func locateChannel(ctx context.Context, name string) (target, error) {
	dir := rundir.OfChannel(name)
	if !dir.Running() {
		return target{}, cmdline.Status(cmdline.StatusNoVM,
			fmt.Errorf("channel %q: no relay runs (start it with systemctl --user start qemu-%s-relay.service, or QEMU with run-qemu)", name, name))
	}
	client := ctl.Client{Path: dir.Ctl()}
	for begin := time.Now(); ; wait(ctx, lookEvery) {
		status, err := client.ChannelStatus(ctx)
		switch {
		case err == nil:
			return target{client, "qemu-relay", true, status.Consoles[0]}, nil
		case ctx.Err() != nil || time.Since(begin) > startLimit:
			return target{}, fmt.Errorf("channel %q: %w", name, err)
		}
	}
}

// consoleOf finds a console by its device.
func consoleOf(client ctl.Client, status state.Machine, device string) (target, error) {
	var devices []string
	for _, console := range status.Consoles {
		switch {
		case console.Device != device:
			devices = append(devices, console.Device)
		case console.Relay != nil:
			return target{client, status.Name, false, console}, nil
		case status.State == state.Starting:
			return target{}, fmt.Errorf("vm %q: %w", status.Name, errStarting)
		default:
			return target{}, fmt.Errorf("vm %q: QEMU itself serves %s, to one client at a time (use nc localhost %d, or start it without --no-relay)",
				status.Name, device, console.Port)
		}
	}
	return target{}, cmdline.Usage("vm %q: no console on %s (it has %s)", status.Name, device, strings.Join(devices, ", "))
}

// again finds the console once more that was found before, a moment after
// a connection has broken: it may have a new owner by then.
func (s *session) again(ctx context.Context, last target) (target, error) {
	limited, cancel := context.WithTimeout(ctx, s.comeBack)
	defer cancel()
	for {
		wait(limited, lookEvery)
		t, err := s.relocate(limited, last)
		switch {
		case err == nil:
			return t, nil
		case ctx.Err() != nil:
			return t, context.Cause(ctx)
		case limited.Err() != nil:
			return t, fmt.Errorf("%w: %s does not come back (its owner was ended)", errBroken, last.who())
		}
	}
}

// relocate looks where the console was.
func (s *session) relocate(ctx context.Context, last target) (target, error) {
	if last.channel {
		return locateChannel(ctx, last.console.Name)
	}
	return s.locate(ctx, last.name)
}

// wait waits for a while, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
