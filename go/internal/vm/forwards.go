package vm

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/loopback"
	"microvm-console/internal/qemu"
	"microvm-console/internal/state"
	"microvm-console/internal/vmconfig"
)

// reserveForwards takes the host's port of each forward of m until the start of QEMU, whose own error
// does not name the process that has a port. If auto is set, it replaces each port in use by 0:
// QEMU then takes a free one.
func (q *qemuProcess) reserveForwards(m *vmconfig.Machine, auto bool) error {
	if m.Network == nil {
		return nil
	}
	network := *m.Network
	network.Forward = slices.Clone(network.Forward)
	var errs *multierror.Error
	for i, forward := range network.Forward {
		if forward.Host == 0 {
			continue
		}
		reserved, err := loopback.Reserve(forward.Transport(), forward.Host, "choose another port, or --auto-ports")
		switch {
		case err == nil:
			q.reserved = append(q.reserved, reserved)
		case auto:
			network.Forward[i].Host = 0
		default:
			errs = multierror.Append(errs, fmt.Errorf("forward to port %d/%s: %w", forward.Guest, forward.Transport(), err))
		}
	}
	m.Network = &network
	return errs.ErrorOrNil()
}

// forwards returns the forwarded ports of m, with those that QEMU has taken.
func (q *qemuProcess) forwards(ctx context.Context, m vmconfig.Machine) ([]state.Forward, error) {
	declared := m.Forwards()
	if len(declared) == 0 {
		return nil, nil
	}
	var output string
	arguments := map[string]string{"command-line": qemu.ForwardsCommand}
	if err := q.monitor.Execute(ctx, "human-monitor-command", arguments, &output); err != nil {
		return nil, err
	}
	opened, err := qemu.Forwards(declared, output)
	if err != nil {
		return nil, err
	}
	shown := make([]state.Forward, len(opened))
	for i, f := range opened {
		shown[i] = state.Forward{Host: f.Host, Guest: f.Guest, Protocol: f.Transport()}
	}
	return shown, nil
}
