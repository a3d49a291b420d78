package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/guestagent"
	"microvm-console/internal/process"
	"microvm-console/internal/qemu"
	"microvm-console/internal/qmp"
	"microvm-console/internal/state"
)

// handshakeLimit is how long QEMU may take until its monitor answers.
const handshakeLimit = 30 * time.Second

// What QEMU inherits, by number: its ends of two sockets, the machine's lock, and with
// NoRelay a pipe for each console.
const (
	monitorFD = 3
	agentFD   = 4
	lockFD    = 5
	pipesFD   = 6
)

// start starts QEMU and what watches it. The returned group ends when QEMU has
// ended. On an error nothing is left running.
func (v *VM) start(ctx context.Context, host qemu.Host) (*errgroup.Group, error) {
	watchers, err := v.launch(host)
	if err != nil {
		return nil, err
	}
	limit, cancel := context.WithTimeoutCause(ctx, handshakeLimit, errors.New("its monitor does not answer"))
	defer cancel()
	if err := v.qemu.monitor.Handshake(limit); err != nil {
		if !errors.Is(err, qmp.ErrClosed) {
			v.qemu.process.Kill()
		}
		_ = v.settled(watchers) // what they saw is less than why QEMU ended
		return nil, v.startError(ctx, err)
	}
	if err := v.record.become(state.Booting); err != nil {
		v.qemu.process.Kill()
		return nil, joined(err, v.settled(watchers))
	}
	close(v.ready)
	// What a QEMU writes that does not start is part of the error above.
	watchers.Go(func() error {
		v.passWarnings()
		return nil
	})
	notify(v.events.spoke) // what a console has shown by now counts
	return watchers, nil
}

// startError tells why QEMU did not start.
func (v *VM) startError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, qmp.ErrClosed):
		return v.exitError(" at its start")
	}
	return fmt.Errorf("qemu: %w", err)
}

// launch starts the process with a socket for its monitor, and the goroutines
// that read what it sends.
func (v *VM) launch(host qemu.Host) (*errgroup.Group, error) {
	sockets, err := openSockets(v.lock)
	if err != nil {
		return nil, err
	}
	taps, pipes, err := v.openTaps()
	if err != nil {
		sockets.close()
		return nil, err
	}
	started, err := process.Start(process.Command{
		Argv: v.argv(host, len(pipes)), Files: append(sockets.files(), pipes...), Stderr: v.qemu.warnings,
		Env: v.environment(),
	})
	if err != nil {
		sockets.close()
		for _, tap := range taps {
			tap.close()
		}
		return nil, err
	}
	_ = v.lock.AddPID(started.PID()) // it names a QEMU that is left behind; the kernel knows it too
	v.record.set(func(m *state.Machine) { m.QEMUPID = started.PID() })
	for _, c := range v.consoles {
		c.Relay().SetAttached(true)
	}
	v.guest.Start(time.Now())
	v.qemu.process, v.qemu.taps = started, taps
	v.qemu.monitor, v.qemu.agent = qmp.New(sockets.monitor, v.event), guestagent.New(sockets.agent)
	return v.watch(), nil
}

// environment returns QEMU's environment: nil, which is all of ours, if it runs without
// its sandbox. A window needs that.
func (v *VM) environment() []string {
	if !v.machine.Sandbox {
		return nil
	}
	return process.SmallEnvironment()
}

// argv is QEMU's command line. Its descriptors are those of sockets and of the
// taps' pipes, in this order.
func (v *VM) argv(host qemu.Host, pipes int) []string {
	numbers := make([]int, pipes)
	for i := range numbers {
		numbers[i] = pipesFD + i
	}
	argv := qemu.Args(v.machine, host)
	v.qemu.line = qemu.Shell(slices.Concat(argv, v.options.QEMUArgs))
	argv = slices.Concat(argv, qemu.Bound(host), qemu.Control(v.machine, monitorFD, numbers))
	if !qemu.HasAgent(v.machine.QEMUArgs) && !qemu.HasAgent(v.options.QEMUArgs) {
		argv = append(argv, qemu.Agent(v.machine, host, agentFD)...)
	}
	return append(argv, v.options.QEMUArgs...)
}

// openTaps returns a tap for each console: of its relay, or of a pipe that QEMU
// inherits.
func (v *VM) openTaps() (taps []*tap, pipes []*os.File, err error) {
	for i, console := range v.machine.Consoles {
		if !v.options.NoRelay {
			taps = append(taps, relayTap(console, v.consoles[i].Relay()))
			continue
		}
		read, write, err := os.Pipe()
		if err != nil {
			for _, tap := range taps {
				tap.close()
			}
			for _, pipe := range pipes {
				pipe.Close()
			}
			return nil, nil, err
		}
		taps, pipes = append(taps, pipeTap(console, read)), append(pipes, write)
	}
	return taps, pipes, nil
}

// watch starts the readers of what QEMU sends.
func (v *VM) watch() *errgroup.Group {
	var group errgroup.Group
	group.Go(func() error {
		defer v.qemu.monitor.Close()
		return v.qemu.monitor.Run()
	})
	group.Go(func() error {
		defer v.qemu.agent.Close()
		return v.qemu.agent.Run()
	})
	group.Go(func() error {
		v.tendAgent()
		return nil
	})
	group.Go(func() error {
		v.fit()
		return nil
	})
	for i, tap := range v.qemu.taps {
		group.Go(func() error { return tap.run(v.listener(i)) })
	}
	group.Go(func() error {
		v.judge()
		return nil
	})
	return &group
}
