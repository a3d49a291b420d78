package vm

import (
	"context"

	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

// Status returns the current state of the VM.
func (v *VM) Status() state.Machine {
	status, _ := v.record.now()
	for i, c := range v.consoles.all() {
		status.Consoles[i].Relay = c.Relay().Status()
		status.Consoles[i].Relay.Socket = rundir.Socket(v.dir.Console(status.Consoles[i].Name))
		status.Consoles[i].Refused = c.port.Refusals()
	}
	return status
}

// Watch calls changed with the state of the VM, without its relays, at first and after each change,
// and returns when the end of QEMU, or of a failed start, is known.
func (v *VM) Watch(changed func(state.Machine)) {
	for {
		now, next := v.record.now()
		changed(now)
		select {
		case <-next:
		case <-v.ended:
			last, _ := v.record.now()
			changed(last)
			return
		}
	}
}

// Command returns QEMU's command line, quoted for a shell, without the arguments that only work
// in this process; "" if QEMU was not started. Call it after Ready is closed or Run has
// returned.
func (v *VM) Command() string { return v.qemu.line }

// AwaitReady waits until the guest is ready. It returns ctl.ErrNeverReady if the VM ends before
// that.
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

// Printed is closed once a console has printed something.
func (v *VM) Printed() <-chan struct{} { return v.guest.Printed() }

// Tail is the end of a console's output.
type Tail struct {
	Console state.Console
	Bytes   int64    // the length of the whole output
	Lines   []string // the last lines, without line ends
}

// Tails returns the last n lines of each console's output up to now. Call it after Ready is
// closed or Run has returned.
func (v *VM) Tails(n int) []Tail {
	v.outputs.awaitRead()
	var tails []Tail
	for i := range v.outputs.of {
		lines, total := v.guest.Tail(i, n)
		tails = append(tails, Tail{v.Status().Consoles[i], total, lines})
	}
	return tails
}
