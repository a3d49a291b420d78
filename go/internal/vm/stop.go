package vm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guestagent"
	"microvm-console/internal/qmp"
	"microvm-console/internal/state"
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
	// pingLimit is how long an agent may take to answer that has not answered before.
	// Each stop of a guest without an agent takes that much longer.
	pingLimit = 500 * time.Millisecond
	// busyPingLimit is the same for an agent that has: the host may be busy.
	busyPingLimit = 5 * time.Second
	// reserve is what the stages that do not ask the guest keep of a stop's
	// time, at most; half of a short one.
	reserve = 6 * time.Second
)

// stopping is what is known of the stops of a machine.
type stopping struct {
	turn    sync.Mutex    // held by the one stop under way
	hurry   chan struct{} // closed by a forced one
	hurried sync.Once

	mu        sync.Mutex
	abandon   context.CancelCauseFunc // ends a start under way; nil: Run was not called yet
	abandoned bool                    // a stop came before the start was done
	asked     bool
	report    ctl.StopReport // of the stop that worked
}

// stage is one way to stop a machine.
type stage struct {
	name   string
	ask    func(context.Context) error
	until  time.Duration // since the stop began: what a stage leaves is the next one's
	polite bool          // asks the guest: left out by force
	once   bool          // is not asked again and again
}

// Stop stops the machine: by the guest's agent, then the ACPI power button, QEMU's
// quit, SIGTERM and SIGKILL, each with its share of the time limit. It returns when QEMU has
// ended, and tells which stage worked. Stops that come together take turns; a
// forced one cuts a polite one short. It is safe to call at any time.
func (v *VM) Stop(ctx context.Context, request ctl.StopRequest) (ctl.StopReport, error) {
	if request.Force {
		v.stop.hurried.Do(func() { close(v.stop.hurry) })
	}
	v.stop.turn.Lock()
	defer v.stop.turn.Unlock()
	select {
	case <-v.ended:
		return ctl.StopReport{Stage: "ended before", Tried: []ctl.Attempt{}}, nil
	case <-v.ready:
	default:
		v.giveUp()
		select {
		case <-v.ended:
			return ctl.StopReport{Stage: "start cancelled", Tried: []ctl.Attempt{}}, nil
		case <-v.ready: // it was too late to cancel
		}
	}
	select {
	case <-v.qemu.process.Done(): // its folder is about to go: nothing may be written there
		return ctl.StopReport{Stage: "ended before", Tried: []ctl.Attempt{}}, nil
	default:
		return v.stopBy(ctx, v.stages(request))
	}
}

// giveUp ends a start that is under way, or that will be.
func (v *VM) giveUp() {
	v.stop.mu.Lock()
	defer v.stop.mu.Unlock()
	v.stop.abandoned = true
	if v.stop.abandon != nil {
		v.stop.abandon(errAbandoned)
	}
}

// startable sets how the start that begins now is ended, and ends it if a stop came first.
func (v *VM) startable(cancel context.CancelCauseFunc) {
	v.stop.mu.Lock()
	defer v.stop.mu.Unlock()
	v.stop.abandon = cancel
	if v.stop.abandoned {
		cancel(errAbandoned)
	}
}

// stopBy stops a machine that runs, by the first of stages that works.
func (v *VM) stopBy(ctx context.Context, stages []stage) (ctl.StopReport, error) {
	v.stop.mu.Lock()
	v.stop.asked = true
	v.stop.mu.Unlock()
	_ = v.record.become(state.Stopping) // a state file that cannot be written must not keep a machine running
	report, began := ctl.StopReport{Tried: []ctl.Attempt{}}, time.Now()
	for _, stage := range stages {
		attempt := v.attempt(ctx, stage, began)
		report.Tried = append(report.Tried, attempt)
		if attempt.Result == worked {
			report.Stage = stage.name
			break
		}
	}
	v.stop.mu.Lock()
	v.stop.report = report
	v.stop.mu.Unlock()
	if report.Stage == "" {
		return report, ErrNotStopped
	}
	return report, nil
}

// stages are the ways to stop, in their order, with their shares of the time.
func (v *VM) stages(request ctl.StopRequest) []stage {
	total := request.Timeout
	if total == 0 {
		total = ctl.DefaultTimeout
	}
	if request.Force {
		return v.hardStages(0, total)
	}
	rest := min(reserve, total/2)
	polite := total - rest
	stages := []stage{
		{name: "agent", ask: v.askAgent, until: polite / 2, polite: true, once: true},
		{name: "acpi", ask: v.command("system_powerdown"), until: polite, polite: true},
	}
	if request.Button {
		stages = stages[1:]
	}
	return append(stages, v.hardStages(polite, rest)...)
}

// hardStages are those that do not ask the guest, behind others that take the
// time before.
func (v *VM) hardStages(before, total time.Duration) []stage {
	return []stage{
		{name: "quit", ask: v.command("quit"), until: before + total/3},
		{name: "sigterm", ask: v.signal(unix.SIGTERM), until: before + 2*total/3},
		{name: "sigkill", ask: v.signal(unix.SIGKILL), until: before + total},
	}
}

// askAgent has the guest's agent shut it down, if it answers soon.
func (v *VM) askAgent(ctx context.Context) error {
	pause := pingLimit
	if v.Status().Agent {
		pause = busyPingLimit
	}
	pause += time.Duration(v.execs.Load()) * execWait // each may have its turn before
	limit, cancel := context.WithTimeoutCause(ctx, pause, errNoPing)
	defer cancel()
	err := v.qemu.agent.Ping(limit)
	switch {
	case errors.Is(err, errNoPing):
		return fmt.Errorf("no answer within %v", pause)
	case err == nil:
		err = v.qemu.agent.Shutdown(ctx, guestagent.Powerdown)
	}
	if errors.Is(err, guestagent.ErrClosed) {
		return nil // QEMU is ending: what was wanted
	}
	return err
}

// errNoPing is why a ping ends that nobody answers.
var errNoPing = errors.New("no answer")

func (v *VM) command(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		limit, cancel := context.WithTimeoutCause(ctx, askLimit, errors.New("the monitor does not answer"))
		defer cancel()
		err := v.qemu.monitor.Execute(limit, name, nil, nil)
		if errors.Is(err, qmp.ErrClosed) {
			return nil // QEMU is ending: what was wanted
		}
		return err
	}
}

func (v *VM) signal(signal unix.Signal) func(context.Context) error {
	return func(context.Context) error { return v.qemu.process.Signal(signal) }
}

// worked is the result of the attempt that ended QEMU.
const worked = "worked"

// attempt makes one stage of a stop that began then, and waits for its effect.
func (v *VM) attempt(ctx context.Context, s stage, began time.Time) ctl.Attempt {
	start := time.Now()
	done := func(result string) ctl.Attempt {
		return ctl.Attempt{Stage: s.name, Result: result, Seconds: time.Since(start).Seconds()}
	}
	ctx, cancel := context.WithDeadlineCause(ctx, began.Add(s.until), errNoEffect)
	defer cancel()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	if s.once {
		again.Stop()
	}
	hurry := v.stop.hurry
	if !s.polite {
		hurry = nil
	}
	for {
		if err := s.ask(ctx); err != nil && !errors.Is(err, errNoEffect) {
			return done(err.Error())
		}
		select {
		case <-v.qemu.process.Done():
			return done(worked)
		case <-hurry:
			return done("cut short by a forced stop")
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, errNoEffect) {
				return done(cause.Error())
			}
			return done(fmt.Sprintf("no effect within %.1f s", time.Since(start).Seconds()))
		case <-again.C:
		}
	}
}

// errNoEffect is why a stage ends whose time has passed.
var errNoEffect = errors.New("no effect")
