package vm

import (
	"context"
	"encoding/json"
	"os"
	"slices"

	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

// state returns what state.json holds: without the relays, which change all the time. The
// caller holds v.mu.
func (v *VM) state() state.Machine {
	status, guest := v.status, v.guest.State()
	status.Agent, status.Restarts = guest.Agent, guest.Restarts
	status.ReadyBy, status.ReadySeconds = guest.ReadyBy, guest.ReadySeconds
	return status
}

// Status returns the machine as it is now.
func (v *VM) Status() state.Machine {
	v.mu.Lock()
	defer v.mu.Unlock()
	status := v.state()
	status.Consoles = slices.Clone(v.status.Consoles)
	status.Notes = slices.Clone(v.status.Notes)
	for i, c := range v.consoles {
		status.Consoles[i].Relay = c.Relay().Status()
		status.Consoles[i].Relay.Socket = rundir.Socket(v.dir.Console(v.machine.Consoles[i].Name))
		status.Consoles[i].Refused = v.tcp[i].Refusals()
	}
	return status
}

// Command is the command line of QEMU as a shell takes it, without what is private
// to this process; "" where it was not started. Call it when Ready is closed or
// Run has returned.
func (v *VM) Command() string { return v.line }

// AwaitReady waits until the guest is ready. ctl.ErrNeverReady tells that the
// machine ends before that.
func (v *VM) AwaitReady(ctx context.Context) error {
	for {
		v.mu.Lock()
		is, changed := v.status.State, v.changed
		v.mu.Unlock()
		switch is {
		case state.Ready:
			return nil
		case state.Stopping:
			return ctl.ErrNeverReady
		}
		select {
		case <-changed:
		case <-v.ended:
			return ctl.ErrNeverReady
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// showConsoles puts the consoles of vm.json, with the ports in use, in the
// status.
func (v *VM) showConsoles() {
	shown := make([]state.Console, len(v.machine.Consoles))
	for i, console := range v.machine.Consoles {
		shown[i] = state.Console{Name: console.Name, Device: console.Device, Port: console.Port}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.status.Consoles = shown
}

// writeState writes state.json whole: a reader sees the old one or the new one.
func (v *VM) writeState() error {
	v.writing.Lock()
	defer v.writing.Unlock()
	v.mu.Lock()
	data, err := json.MarshalIndent(v.state(), "", "  ")
	v.mu.Unlock()
	if err != nil {
		return err
	}
	fresh := v.dir.State() + ".new"
	if err := os.WriteFile(fresh, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, v.dir.State())
}
