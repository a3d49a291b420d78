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

// checkForwards checks that the host's port of each forward is free, since QEMU's own error does
// not name the process that has it. If auto is set, it replaces each port in use by 0: QEMU then
// takes a free one.
func checkForwards(network *vmconfig.Network, auto bool) (*vmconfig.Network, error) {
	if network == nil {
		return nil, nil
	}
	checked := *network
	checked.Forward = slices.Clone(network.Forward)
	var errs *multierror.Error
	for i, forward := range checked.Forward {
		if forward.Host == 0 {
			continue
		}
		err := loopback.CheckFree(forward.Transport(), forward.Host, "choose another port, or --auto-ports")
		switch {
		case err != nil && auto:
			checked.Forward[i].Host = 0
		case err != nil:
			errs = multierror.Append(errs, fmt.Errorf("forward to port %d/%s: %w", forward.Guest, forward.Transport(), err))
		}
	}
	return &checked, errs.ErrorOrNil()
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
