package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
	"microvm-console/internal/state"
)

// target is what is printed: a VM or a channel, or if it is zero, every VM and channel of the
// user that is running.
type target struct{ vm, channel string }

// ask returns the state of the VMs and channels of the target that are running. It waits for a
// start in progress. If some of several do not answer, it returns the others, and an error.
func (t target) ask(ctx context.Context) (state.All, error) {
	switch {
	case t.vm != "":
		_, status, err := ctl.Find(ctx, t.vm)
		if err != nil {
			return state.All{}, err
		}
		return state.All{VMs: []state.Machine{status}}, nil
	case t.channel != "":
		_, status, err := ctl.FindChannel(ctx, t.channel)
		if err != nil {
			return state.All{}, err
		}
		return state.All{Channels: []state.Machine{status}}, nil
	}
	vms, channels, err := running()
	if err != nil {
		return state.All{}, err
	}
	if len(vms)+len(channels) == 0 { // a VM may have been started a moment ago
		_, _, err := ctl.Find(ctx, "")
		switch {
		case errors.Is(err, ctl.ErrNotRunning):
			return state.All{}, errors.New("nothing is running (start a VM with microvm-run, QEMU with run-qemu, or a relay with qemu-relay serve)")
		case err != nil && !errors.Is(err, ctl.ErrSeveral):
			return state.All{}, err
		}
		return t.ask(ctx)
	}
	return askAll(ctx, vms, channels)
}

// running returns the names of the VMs and of the channels that are running.
func running() (vms, channels []string, err error) {
	machines, err := rundir.Running()
	if err != nil {
		return nil, nil, err
	}
	for _, machine := range machines {
		vms = append(vms, machine.Name())
	}
	relays, err := rundir.RunningChannels()
	for _, relay := range relays {
		channels = append(channels, relay.Name())
	}
	slices.SortFunc(channels, settings.Compare)
	return vms, channels, err
}

// answerLimit bounds the wait for the answer of one VM or channel if there are several.
const answerLimit = 10 * time.Second

// errNoAnswer is the cause of a request that ends with answerLimit.
var errNoAnswer = fmt.Errorf("no answer within %v (is its process stopped?)", answerLimit)

// askAll asks all VMs and channels at the same time. It leaves out those that have just ended.
func askAll(ctx context.Context, vms, channels []string) (state.All, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerLimit, errNoAnswer)
	defer cancel()
	found, failed := make([]state.Machine, len(vms)+len(channels)), make([]error, len(vms)+len(channels))
	var asking sync.WaitGroup
	for i, name := range slices.Concat(vms, channels) {
		what, find := "vm", ctl.Find
		if i >= len(vms) {
			what, find = "channel", ctl.FindChannel
		}
		asking.Go(func() {
			_, found[i], failed[i] = find(ctx, name)
			if ctx.Err() != nil && failed[i] != nil {
				failed[i] = fmt.Errorf("%s %q: %w", what, name, context.Cause(ctx))
			}
		})
	}
	asking.Wait()
	all := state.All{VMs: []state.Machine{}, Channels: []state.Machine{}}
	var errs *multierror.Error
	for i, status := range found {
		switch {
		case errors.Is(failed[i], ctl.ErrNotRunning):
		case failed[i] != nil:
			errs = multierror.Append(errs, failed[i])
		case i < len(vms):
			all.VMs = append(all.VMs, status)
		default:
			all.Channels = append(all.Channels, status)
		}
	}
	return all, errs.ErrorOrNil()
}

// awaitReady waits until each VM of the target is ready.
func (t target) awaitReady(ctx context.Context) error {
	names := []string{t.vm}
	if t.vm == "" {
		var err error
		if names, _, err = running(); err != nil {
			return err
		}
	}
	if len(names) == 0 { // a VM may have been started a moment ago
		_, status, err := ctl.Find(ctx, "")
		if err != nil {
			return cmdline.Status(cmdline.StatusNoVM, err)
		}
		names = []string{status.Name}
	}
	var group errgroup.Group
	for _, name := range names {
		group.Go(func() error { return awaitReady(ctx, name) })
	}
	return group.Wait()
}

func awaitReady(ctx context.Context, name string) error {
	client, _, err := ctl.Find(ctx, name)
	if err != nil {
		return cmdline.Status(cmdline.StatusNoVM, err)
	}
	_, err = client.AwaitReady(ctx)
	switch {
	case errors.Is(err, ctl.ErrNeverReady):
		return cmdline.Status(cmdline.StatusNoVM, fmt.Errorf("vm %q: %w", name, err))
	case err != nil:
		return fmt.Errorf("vm %q: %w", name, err)
	}
	return nil
}
