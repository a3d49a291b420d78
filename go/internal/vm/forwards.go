package vm

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/loopback"
	"microvm-console/internal/qemu"
	"microvm-console/internal/state"
)

// reserveForwards takes the host's port of each forward until the start of QEMU, whose own error
// does not name the process that has a port. If v.autoPorts is set, it replaces each port in use
// by 0: QEMU then takes a free one.
func (v *VM) reserveForwards() error {
	if v.machine.Network == nil {
		return nil
	}
	network := *v.machine.Network
	network.Forward = slices.Clone(network.Forward)
	var errs *multierror.Error
	for i, forward := range network.Forward {
		if forward.Host == 0 {
			continue
		}
		reserved, err := loopback.Reserve(forward.Transport(), forward.Host, "choose another port, or --auto-ports")
		switch {
		case err == nil:
			v.qemu.reserved = append(v.qemu.reserved, reserved)
		case v.autoPorts:
			network.Forward[i].Host = 0
		default:
			errs = multierror.Append(errs, fmt.Errorf("forward to port %d/%s: %w", forward.Guest, forward.Transport(), err))
		}
	}
	v.machine.Network = &network
	return errs.ErrorOrNil()
}

// findForwards records the forwarded ports, with those that QEMU has taken.
func (v *VM) findForwards(ctx context.Context) error {
	declared := v.machine.Forwards()
	if len(declared) == 0 {
		return nil
	}
	var output string
	arguments := map[string]string{"command-line": qemu.ForwardsCommand}
	if err := v.qemu.monitor.Execute(ctx, "human-monitor-command", arguments, &output); err != nil {
		return err
	}
	opened, err := qemu.Forwards(declared, output)
	if err != nil {
		return err
	}
	shown := make([]state.Forward, len(opened))
	for i, f := range opened {
		shown[i] = state.Forward{Host: f.Host, Guest: f.Guest, Protocol: f.Transport()}
	}
	v.record.set(func(m *state.Machine) { m.Forwards = shown })
	return nil
}
