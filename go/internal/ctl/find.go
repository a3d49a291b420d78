package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
	"microvm-console/internal/suggest"
)

// ErrNotRunning is returned if a machine, or a channel's relay, is not running. For a
// machine it is a *NotRunningError.
var ErrNotRunning = errors.New("not running")

// NotRunningError is the ErrNotRunning of a machine.
type NotRunningError struct {
	// Name is that of the machine; "" if any would do.
	Name string
	// Last says how its last boot ended, as "ended 16:03, powered off"; "" if that is
	// unknown.
	Last string
	// Nearest is the name of a machine that may be meant instead; "" if none is similar.
	Nearest string
}

func (e *NotRunningError) Error() string {
	switch {
	case e.Name == "":
		return "no VM is running (start one with microvm-run)"
	case e.Last == "" && e.Nearest != "":
		return fmt.Sprintf("vm %q: %v (did you mean %s?)", e.Name, ErrNotRunning, e.Nearest)
	case e.Last == "":
		return fmt.Sprintf("vm %q: %v (start it with microvm-run)", e.Name, ErrNotRunning)
	}
	return fmt.Sprintf("vm %q: %v; last boot %s (log: console-log --name %s; start: microvm-run)", e.Name, ErrNotRunning, e.Last, e.Name)
}

// Is reports whether target is ErrNotRunning.
func (e *NotRunningError) Is(target error) bool { return target == ErrNotRunning }

// ErrSeveral is returned if several machines run and no name selects one.
var ErrSeveral = errors.New("several VMs are running")

const (
	// startLimit is how long a machine with an owner may take until its control socket
	// answers.
	startLimit = 5 * time.Second
	// grace is how long Find waits for a machine without an owner, which may have been
	// started a moment ago in the background.
	grace = time.Second
	// pollInterval is the pause between two attempts of Find.
	pollInterval = 25 * time.Millisecond
)

// Find returns a client for the running machine called name and its status. If name is "",
// that is the only machine that runs. Find waits for a machine that is starting. Its error
// is also ErrNotRunning or ErrSeveral.
func Find(ctx context.Context, name string) (Client, state.Machine, error) {
	return find(ctx, func() (Client, state.Machine, time.Duration, error) { return probe(ctx, name) })
}

// FindChannel returns a client for the relay of a channel and its status. It waits for a
// relay that is starting, and returns ErrNotRunning if there is none.
func FindChannel(ctx context.Context, name string) (Client, state.Machine, error) {
	channel := rundir.OfChannel(name)
	client := Client{channel.Ctl()}
	return find(ctx, func() (Client, state.Machine, time.Duration, error) {
		if !channel.Running() {
			return client, state.Machine{}, 0, fmt.Errorf("channel %q: its relay is %w (start it with systemctl --user start qemu-%s-relay.service, or qemu-relay serve %s, or QEMU with run-qemu)",
				name, ErrNotRunning, name, name)
		}
		status, err := client.ChannelStatus(ctx)
		if err != nil {
			return client, status, startLimit, fmt.Errorf("channel %q: %w", name, err)
		}
		return client, status, 0, nil
	})
}

// find calls probe until it succeeds, or the time has passed for which waiting makes sense,
// which probe returns too.
func find(ctx context.Context, probe func() (Client, state.Machine, time.Duration, error)) (Client, state.Machine, error) {
	begin := time.Now()
	for {
		client, status, waitFor, err := probe()
		if err == nil || time.Since(begin) >= waitFor {
			return client, status, err
		}
		select {
		case <-ctx.Done():
			return Client{}, state.Machine{}, context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
}

// probe is one attempt of Find. waitFor is how long Find may repeat it.
func probe(ctx context.Context, name string) (client Client, status state.Machine, waitFor time.Duration, err error) {
	machine := rundir.Find(name)
	if name == "" {
		machine, waitFor, err = only()
		if err != nil {
			return Client{}, state.Machine{}, waitFor, err
		}
	}
	locked, err := machine.Locked()
	if err != nil {
		return Client{}, state.Machine{}, 0, fmt.Errorf("vm %q: %w", machine.Name(), err)
	}
	if !locked {
		return Client{}, state.Machine{}, grace, &NotRunningError{Name: machine.Name(), Nearest: nearestRunning(machine.Name())}
	}
	client = Client{machine.Ctl()}
	status, err = client.Status(ctx)
	if err == nil {
		return client, status, 0, nil
	}
	if left := machine.LeftBehind(); len(left) > 0 {
		// If the owner was killed a moment ago, its QEMU is about to end.
		return client, status, grace, &rundir.LeftError{Name: machine.Name(), PIDs: left}
	}
	return client, status, startLimit, fmt.Errorf("vm %q: %w", machine.Name(), err)
}

// nearestRunning returns the machine that runs whose name may be meant by name; "" if none is
// similar.
func nearestRunning(name string) string {
	running, _ := rundir.Running() // an empty list suggests nothing
	names := make([]string, len(running))
	for i, machine := range running {
		names[i] = machine.Name()
	}
	return Nearest(name, names)
}

// Nearest returns the name of a machine, out of names, that may be meant by name; "" if none is
// similar. A name that only adds a part to name, such as that of a machine of run-test, is not
// similar.
func Nearest(name string, names []string) string {
	others := slices.DeleteFunc(slices.Clone(names), func(other string) bool {
		return other == name || strings.HasPrefix(other, name+"-")
	})
	return suggest.Nearest(name, others)
}

// only returns the machine that runs if there is exactly one.
func only() (machine rundir.Machine, waitFor time.Duration, err error) {
	running, err := rundir.Running()
	switch {
	case err != nil:
		return machine, 0, err
	case len(running) == 0:
		return machine, grace, &NotRunningError{}
	case len(running) > 1:
		names := make([]string, len(running))
		for i, machine := range running {
			names[i] = machine.Name()
		}
		return machine, 0, fmt.Errorf("%w: %s (pick one with --name)", ErrSeveral, strings.Join(names, ", "))
	}
	return running[0], 0, nil
}
