package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"microvm-console/internal/qemu"
	"microvm-console/internal/qmp"
	"microvm-console/internal/state"
)

// handshakeLimit is how long QEMU may take until its monitor answers.
const handshakeLimit = 30 * time.Second

// start starts QEMU and what watches it, and returns once the monitor answers.
func (v *VM) start(ctx context.Context) error {
	host, err := v.plan(ctx)
	if err != nil {
		return err
	}
	if err := v.launch(host); err != nil {
		return err
	}
	limit, cancel := context.WithTimeoutCause(ctx, handshakeLimit, errors.New("its monitor does not answer"))
	defer cancel()
	err = v.qemu.monitor.Handshake(limit)
	switch {
	case errors.Is(err, qmp.ErrClosed) && ctx.Err() == nil:
		return v.qemu.exitError(true)
	case err != nil:
		v.qemu.process.Kill()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("qemu: %w", err)
	}
	if err := v.record.become(state.Booting); err != nil {
		v.qemu.process.Kill()
		return err
	}
	close(v.ready)
	// What a QEMU writes that does not start is part of the error above.
	v.qemu.group.Go(func() error {
		v.qemu.warnings.pass(v.qemu.done(), v.record.note)
		return nil
	})
	notify(v.watcher.events.printed) // what a console has shown by now counts
	return nil
}

// launch starts the process, and the goroutines that read what it sends.
func (v *VM) launch(host qemu.Host) error {
	var pipes []*os.File
	if v.consoles.noRelay {
		opened, err := v.outputs.openPipes(len(v.machine.Consoles))
		if err != nil {
			return err
		}
		pipes = opened
	} else {
		v.outputs.openJournals(v.consoles.all())
	}
	v.guest.Start(time.Now())
	if err := v.qemu.start(v.qemu.argv(v.machine, host, len(pipes)), v.lock, pipes, v.watcher.events.take); err != nil {
		v.outputs.close()
		return err
	}
	_ = v.lock.AddPID(v.qemu.process.PID()) // it names a QEMU that is left behind; the kernel knows it too
	v.record.set(func(m *state.Machine) { m.QEMUPID = v.qemu.process.PID() })
	for _, c := range v.consoles.all() {
		c.Relay().SetAttached(true)
	}
	v.watcher.start()
	return nil
}
