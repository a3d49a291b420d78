package follow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

const (
	// startLimit is how long Find waits for a starting VM to serve its consoles.
	startLimit = 30 * time.Second
	// retryEvery is the interval between requests to a control socket.
	retryEvery = 100 * time.Millisecond
)

// Place selects a console of a running VM, or a channel of qemu-relay.
type Place struct {
	// Machine is the name of a VM; "" selects the only one that runs.
	Machine string
	// Channel selects a channel of qemu-relay instead of a VM.
	Channel string
	// OwnChannel is the channel to use if neither is given and no VM runs.
	OwnChannel string
	// Console is the device ("ttyS0") or the name ("serial") of a console of the VM; ""
	// selects the first one.
	Console string
}

// Target is a console that is currently served.
type Target struct {
	Client  ctl.Client
	Name    string // name of the VM, or "qemu-relay"
	Channel bool
	Console state.Console // Relay is not nil
	owner   owner
}

// owner identifies the process that serves a target.
type owner struct {
	pid     int
	started time.Time
}

func ownerOf(status state.Machine) owner { return owner{status.PID, status.Started} }

// String returns the target's name for error messages.
func (t Target) String() string {
	if t.Channel {
		return fmt.Sprintf("channel %q", t.Console.Name)
	}
	return fmt.Sprintf("vm %q", t.Name)
}

// place returns the Place by which the target can be found again.
func (t Target) place() Place {
	if t.Channel {
		return Place{Channel: t.Console.Name}
	}
	return Place{Machine: t.Name, Console: t.Console.Device}
}

// FindError is returned if no running VM or relay matches a Place.
type FindError struct{ Err error }

func (e *FindError) Error() string { return e.Err.Error() }
func (e *FindError) Unwrap() error { return e.Err }

// ErrNoConsole is returned if a VM does not have the console that a Place means.
var ErrNoConsole = errors.New("no console")

// errStarting is returned while a VM does not have its relays yet.
var errStarting = errors.New("is still starting")

// Find finds the console or the channel of a Place. It waits for a VM or a relay that is
// starting. It returns a *FindError, ErrNoConsole or ctl.ErrSeveral.
func Find(ctx context.Context, place Place) (Target, error) {
	channel, err := place.channel()
	if err != nil {
		return Target{}, err
	}
	if channel != "" {
		return findChannel(ctx, channel)
	}
	for begin := time.Now(); ; wait(ctx, retryEvery) {
		client, status, err := ctl.Find(ctx, place.Machine)
		switch {
		case errors.Is(err, ctl.ErrSeveral):
			return Target{}, err
		case ctx.Err() != nil:
			return Target{}, fmt.Errorf("interrupted: %w", context.Cause(ctx))
		case err != nil:
			return Target{}, &FindError{err}
		}
		t, err := consoleOf(client, status, place.Console)
		if !errors.Is(err, errStarting) || time.Since(begin) > startLimit {
			return t, err
		}
	}
}

// channel returns the selected channel; "" for a VM.
func (p Place) channel() (string, error) {
	if p.Channel != "" || p.Machine != "" || p.OwnChannel == "" {
		return p.Channel, nil
	}
	machines, err := rundir.Running()
	if err != nil || len(machines) > 0 || !rundir.OfChannel(p.OwnChannel).Running() {
		return "", err
	}
	return p.OwnChannel, nil
}

// findChannel returns the target for a channel.
func findChannel(ctx context.Context, name string) (Target, error) {
	client, status, err := ctl.FindChannel(ctx, name)
	if errors.Is(err, ctl.ErrNotRunning) {
		return Target{}, &FindError{err}
	}
	if err != nil {
		return Target{}, err
	}
	return Target{client, "qemu-relay", true, status.Consoles[0], ownerOf(status)}, nil
}

// consoleOf returns the target for a console, given by device or name.
func consoleOf(client ctl.Client, status state.Machine, name string) (Target, error) {
	console, ok := choose(status.Consoles, name)
	switch {
	case !ok:
		return Target{}, fmt.Errorf("vm %q: %w %q (it has %s)", status.Name, ErrNoConsole, name, devices(status.Consoles))
	case console.Relay != nil:
		return Target{client, status.Name, false, console, ownerOf(status)}, nil
	case status.State == state.Starting:
		return Target{}, fmt.Errorf("vm %q: %w", status.Name, errStarting)
	}
	return Target{}, fmt.Errorf("vm %q: QEMU itself serves %s, to one client at a time (use nc localhost %d, or start it without --no-relay)",
		status.Name, console.Device, console.Port)
}

// choose returns the console of this device or else of this name; "" selects the first. "ttyS0",
// the device of connect-serial, also selects the UART of an aarch64 guest.
func choose(consoles []state.Console, name string) (state.Console, bool) {
	if name == "" && len(consoles) > 0 {
		return consoles[0], true
	}
	for _, console := range consoles {
		if console.Device == name {
			return console, true
		}
	}
	for _, console := range consoles {
		if console.Name == name {
			return console, true
		}
	}
	if name == "ttyS0" {
		return choose(consoles, "ttyAMA0")
	}
	return state.Console{}, false
}

func devices(consoles []state.Console) string {
	names := make([]string, len(consoles))
	for i, console := range consoles {
		names[i] = console.Device
	}
	return strings.Join(names, ", ")
}

// wait waits for d, or until ctx is done.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
