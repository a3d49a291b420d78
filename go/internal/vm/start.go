package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"microvm-console/internal/qemu"
	"microvm-console/internal/qmp"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

// handshakeLimit bounds the time from QEMU's start until its monitor answers.
const handshakeLimit = 30 * time.Second

// start starts QEMU and the goroutines that watch it, and returns once the monitor answers.
func (v *VM) start(ctx context.Context, lock *rundir.Lock) error {
	defer v.disks.removeScratch() // QEMU has opened them, or has not started
	defer func() { closeAll(v.qemu.reserved) }()
	host, err := v.plan(ctx)
	if err != nil {
		return err
	}
	if err := v.shares.start(ctx, v.machine, v.dir); err != nil {
		return err
	}
	if err := v.launch(host, lock); err != nil {
		return err
	}
	limit, cancel := context.WithTimeoutCause(ctx, handshakeLimit, errors.New("its monitor does not answer"))
	defer cancel()
	var forwards []state.Forward
	err = v.qemu.monitor.Handshake(limit)
	if err == nil {
		forwards, err = v.qemu.forwards(limit, v.machine)
	}
	switch {
	case errors.Is(err, qmp.ErrClosed) && ctx.Err() == nil:
		if failure := v.shares.failure(); failure != nil {
			return failure
		}
		e := v.qemu.exitError(true)
		e.advice += v.disks.inUse()
		return e
	case err != nil:
		v.qemu.process.Kill()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("qemu: %w", err)
	}
	v.record.set(func(m *state.Machine) { m.Forwards = forwards })
	if err := v.record.become(state.Booting); err != nil {
		v.qemu.process.Kill()
		return err
	}
	close(v.ready)
	// If QEMU does not start, its warnings are part of the error above.
	v.qemu.group.Go(func() error {
		v.qemu.warnings.pass(v.qemu.done(), func(line string) { v.record.note("qemu: " + line) })
		return nil
	})
	v.shares.watch(v.record.note)
	notify(v.watcher.events.activity) // for what the consoles have printed so far
	return nil
}

// launch starts the process, and the goroutines that watch it and the guest. The process inherits lock.
func (v *VM) launch(host qemu.Host, lock *rundir.Lock) error {
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
	argv, files := v.qemu.argv(v.machine, host, len(pipes)), pipes
	gdb, err := v.qemu.gdb.listen()
	if err != nil {
		v.outputs.close()
		closeAll(pipes)
		return err
	}
	if gdb != nil {
		files = append(files, gdb)
	}
	if v.qemu.startsPaused(v.machine.QEMUArgs) {
		v.watcher.setPaused(statusPrelaunch)
	}
	v.guest.Start(time.Now())
	closeAll(v.qemu.reserved)
	if err := v.qemu.start(argv, lock, files, v.watcher.events.take); err != nil {
		v.outputs.close()
		return err
	}
	_ = lock.AddPID(v.qemu.process.PID()) // only for messages about a QEMU that is left behind
	v.record.set(func(m *state.Machine) { m.QEMUPID, m.GDB = v.qemu.process.PID(), v.qemu.gdb.path })
	for _, c := range v.consoles.all() {
		c.Relay().SetAttached(true)
	}
	v.watch()
	return nil
}

// watch starts the goroutines that watch the guest. The readers of its output end with the output, and
// the others with QEMU.
func (v *VM) watch() {
	events := v.watcher.events
	v.outputs.start(events.activity)
	for _, run := range []func(){
		v.watcher.run,
		pinger{v.qemu, v.guest, v.record, v.windows, events}.run,
		silence{v.qemu, v.guest, v.record, v.silence}.run,
		func() { v.windows.run(v.qemu, v.consoles) },
	} {
		v.qemu.group.Go(func() error {
			run()
			return nil
		})
	}
}
