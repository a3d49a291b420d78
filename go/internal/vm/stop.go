package vm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/qmp"
)

// ErrNotStopped tells that every stage of a stop failed within its limit.
var ErrNotStopped = errors.New("vm: still running after every stage of the stop")

// errAbandoned is why a start ends that was stopped.
var errAbandoned = errors.New("stopped before it had started")

const (
	// askLimit bounds one request to the monitor: a QEMU that hangs must not
	// keep the next stage from its turn.
	askLimit = 2 * time.Second
	// askAgain is how often the power button is pressed: a guest that is
	// still booting misses it.
	askAgain = 2 * time.Second
	// reserve is what the stages that do not ask the guest keep of a stop's
	// time, at most; half of a short one.
	reserve = 6 * time.Second
)

// stage is one way to stop a machine.
type stage struct {
	name   string
	ask    func(context.Context) error
	limit  time.Duration
	polite bool // asks the guest: left out by force
}

// Stop stops the machine: by the ACPI power button, then QEMU's quit, SIGTERM
// and SIGKILL, each with its share of the time limit. It returns when QEMU has
// ended, and tells which stage worked. Stops that come together take turns; a
// forced one cuts a polite one short. It is safe to call at any time.
func (v *VM) Stop(ctx context.Context, request ctl.StopRequest) (ctl.StopReport, error) {
	if request.Force {
		v.hurried.Do(func() { close(v.hurry) })
	}
	v.stopping.Lock()
	defer v.stopping.Unlock()
	select {
	case <-v.ended:
		return ctl.StopReport{Stage: "ended before", Tried: []ctl.Attempt{}}, nil
	case <-v.ready:
	default:
		v.abandon(errAbandoned)
		select {
		case <-v.ended:
			return ctl.StopReport{Stage: "start cancelled", Tried: []ctl.Attempt{}}, nil
		case <-v.ready: // it was too late to cancel
		}
	}
	select {
	case <-v.qemu.Done(): // its folder is about to go: nothing may be written there
		return ctl.StopReport{Stage: "ended before", Tried: []ctl.Attempt{}}, nil
	default:
		return v.stopBy(ctx, v.stages(request))
	}
}

// stopBy stops a machine that runs, by the first of stages that works.
func (v *VM) stopBy(ctx context.Context, stages []stage) (ctl.StopReport, error) {
	v.mu.Lock()
	v.stopped = true
	v.mu.Unlock()
	_ = v.become(ctl.Stopping) // a state file that cannot be written must not keep a machine running
	report := ctl.StopReport{Tried: []ctl.Attempt{}}
	for _, stage := range stages {
		attempt := v.attempt(ctx, stage)
		report.Tried = append(report.Tried, attempt)
		if attempt.Result == worked {
			report.Stage = stage.name
			return report, nil
		}
	}
	return report, ErrNotStopped
}

// stages are the ways to stop, in their order, with their shares of the time.
func (v *VM) stages(request ctl.StopRequest) []stage {
	total := request.Timeout
	if total == 0 {
		total = ctl.DefaultTimeout
	}
	rest := min(reserve, total/2)
	stages := []stage{
		{"acpi", v.command("system_powerdown"), total - rest, true},
		{"quit", v.command("quit"), rest / 3, false},
		{"sigterm", v.signal(unix.SIGTERM), rest / 3, false},
		{"sigkill", v.signal(unix.SIGKILL), rest / 3, false},
	}
	if request.Force {
		return stages[1:]
	}
	return stages
}

func (v *VM) command(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		limit, cancel := context.WithTimeoutCause(ctx, askLimit, errors.New("the monitor does not answer"))
		defer cancel()
		err := v.monitor.Execute(limit, name, nil, nil)
		if errors.Is(err, qmp.ErrClosed) {
			return nil // QEMU is ending: what was wanted
		}
		return err
	}
}

func (v *VM) signal(signal unix.Signal) func(context.Context) error {
	return func(context.Context) error { return v.qemu.Signal(signal) }
}

// worked is the result of the attempt that ended QEMU.
const worked = "worked"

// attempt makes one stage and waits for its effect.
func (v *VM) attempt(ctx context.Context, s stage) ctl.Attempt {
	start := time.Now()
	done := func(result string) ctl.Attempt {
		return ctl.Attempt{Stage: s.name, Result: result, Seconds: time.Since(start).Seconds()}
	}
	limit := time.NewTimer(s.limit)
	defer limit.Stop()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	hurry := v.hurry
	if !s.polite {
		hurry = nil
	}
	for {
		if err := s.ask(ctx); err != nil {
			return done(err.Error())
		}
		select {
		case <-v.qemu.Done():
			return done(worked)
		case <-limit.C:
			return done(fmt.Sprintf("no effect within %v", s.limit))
		case <-hurry:
			return done("cut short by a forced stop")
		case <-ctx.Done():
			return done(context.Cause(ctx).Error())
		case <-again.C:
		}
	}
}
