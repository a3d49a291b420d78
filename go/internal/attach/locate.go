package attach

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
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
	name    string      // of the machine
	console ctl.Console // with its Relay
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

// consoleOf finds a console by its device.
func consoleOf(client ctl.Client, status ctl.Status, device string) (target, error) {
	var devices []string
	for _, console := range status.Consoles {
		switch {
		case console.Device != device:
			devices = append(devices, console.Device)
		case console.Relay != nil:
			return target{client, status.Name, console}, nil
		case status.State == "starting":
			return target{}, fmt.Errorf("vm %q: %w", status.Name, errStarting)
		default:
			return target{}, fmt.Errorf("vm %q: QEMU itself serves %s, to one client at a time (use nc localhost %d, or start it without --no-relay)",
				status.Name, device, console.Port)
		}
	}
	return target{}, cmdline.Usage("vm %q: no console on %s (it has %s)", status.Name, device, strings.Join(devices, ", "))
}

// again finds the console of the machine called name once more, a moment after
// a connection has broken: it may have a new owner by then.
func (s *session) again(ctx context.Context, name string) (target, error) {
	limited, cancel := context.WithTimeout(ctx, s.comeBack)
	defer cancel()
	for {
		wait(limited, lookEvery)
		t, err := s.locate(limited, name)
		switch {
		case err == nil:
			return t, nil
		case ctx.Err() != nil:
			return t, context.Cause(ctx)
		case limited.Err() != nil:
			return t, fmt.Errorf("%w: vm %q does not come back (its owner was ended)", errBroken, name)
		}
	}
}

// wait waits for a while, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
