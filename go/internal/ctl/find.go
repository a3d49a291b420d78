package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

// ErrNotRunning is returned, as a *NotRunningError, if no such machine runs.
var ErrNotRunning = errors.New("not running")

// NotRunningError is the ErrNotRunning of a machine.
type NotRunningError struct {
	// Name is that of the machine; "" if any would do.
	Name string
	// Last says how its last boot ended; "" if that is not known. It is a part of a
	// sentence: "ended 16:03, powered off".
	Last string
}

func (e *NotRunningError) Error() string {
	switch {
	case e.Name == "":
		return fmt.Sprintf("vm: %v (start one with microvm-run)", ErrNotRunning)
	case e.Last == "":
		return fmt.Sprintf("vm %q: %v (start it with microvm-run)", e.Name, ErrNotRunning)
	}
	return fmt.Sprintf("vm %q: %v; its last boot %s (console-log --name %s prints it; start it with microvm-run)", e.Name, ErrNotRunning, e.Last, e.Name)
}

// Is makes a NotRunningError an ErrNotRunning.
func (e *NotRunningError) Is(target error) bool { return target == ErrNotRunning }

// ErrSeveral is returned if a name is needed to pick one of several machines.
var ErrSeveral = errors.New("several machines run")

const (
	// startLimit is how long a machine whose owner is there may take until
	// its control socket answers.
	startLimit = 5 * time.Second
	// grace is how long an owner is waited for that is not there at all: it
	// may have been started a moment ago, in the background.
	grace = time.Second
	// pollEvery is how often Find looks.
	pollEvery = 25 * time.Millisecond
)

// Find returns a client for the running machine called name, or for the only
// one that runs where name is empty, and its status. It waits for a machine
// whose start is under way.
func Find(ctx context.Context, name string) (Client, state.Machine, error) {
	begin := time.Now()
	for {
		client, status, waitFor, err := look(ctx, name)
		if err == nil || time.Since(begin) >= waitFor {
			return client, status, err
		}
		select {
		case <-ctx.Done():
			return Client{}, state.Machine{}, context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}

// look looks once, and says how long it is worth while to look again.
func look(ctx context.Context, name string) (client Client, status state.Machine, waitFor time.Duration, err error) {
	machine := rundir.Of(name)
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
		return Client{}, state.Machine{}, grace, &NotRunningError{Name: machine.Name()}
	}
	client = Client{machine.Ctl()}
	status, err = client.Status(ctx)
	if err == nil {
		return client, status, 0, nil
	}
	if left := machine.LeftBehind(); len(left) > 0 {
		// One whose owner was killed a moment ago is about to end.
		return client, status, grace, &rundir.LeftError{Name: machine.Name(), PIDs: left}
	}
	return client, status, startLimit, fmt.Errorf("vm %q: %w", machine.Name(), err)
}

// only returns the only machine that runs.
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
