package vm

import (
	"context"

	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

// Status returns the VM as it is now.
func (v *VM) Status() state.Machine {
	status, _ := v.record.now()
	for i, c := range v.consoles.all() {
		status.Consoles[i].Relay = c.Relay().Status()
		status.Consoles[i].Relay.Socket = rundir.Socket(v.dir.Console(status.Consoles[i].Name))
		status.Consoles[i].Refused = c.port.Refusals()
	}
	return status
}

// Command returns the command line of QEMU as a shell takes it, without what is private to
// this process; "" if it was not started. Call it when Ready is closed or Run has returned.
func (v *VM) Command() string { return v.qemu.line }

// AwaitReady waits until the guest is ready. It returns ctl.ErrNeverReady if the VM ends
// before that.
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

// Printed is closed when a console has printed something.
func (v *VM) Printed() <-chan struct{} { return v.guest.Printed() }

// Tail is what a console printed last.
type Tail struct {
	Console state.Console
	Bytes   int64    // printed in all
	Lines   []string // the last ones, without their ends
}

// Tails returns the last n lines of each console, with all that it has printed by now.
// Call it when Ready is closed or Run has returned.
func (v *VM) Tails(n int) []Tail {
	v.outputs.awaitRead()
	var tails []Tail
	for i := range v.outputs.of {
		lines, total := v.guest.Tail(i, n)
		tails = append(tails, Tail{v.Status().Consoles[i], total, lines})
	}
	return tails
}
