package vm

import (
	"context"

	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

// Status returns the machine as it is now.
func (v *VM) Status() state.Machine {
	status, _ := v.record.now()
	v.mu.Lock()
	defer v.mu.Unlock()
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
func (v *VM) Command() string { return v.qemu.line }

// AwaitReady waits until the guest is ready. It returns ctl.ErrNeverReady if the machine
// ends before that.
func (v *VM) AwaitReady(ctx context.Context) error {
	for {
		now, changed := v.record.now()
		switch now.State {
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
	v.record.set(func(m *state.Machine) { m.Consoles = shown })
}
