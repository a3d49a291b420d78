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

// ErrNotStopped is returned if every stage of a stop has failed within its limit.
var ErrNotStopped = errors.New("vm: still running after every stage of the stop")

// errAbandoned is why a start ends that was stopped.
var errAbandoned = errors.New("stopped before it had started")

const (
	// askAgain is how often the power button is pressed: a guest that is still booting
	// misses it.
	askAgain = 2 * time.Second
	// pingLimit is how long an agent that has not answered before may take to answer. Each
	// stop of a guest without an agent takes that much longer.
	pingLimit = 500 * time.Millisecond
	// busyPingLimit is the same for an agent that has answered: the host may be busy.
	busyPingLimit = 5 * time.Second
	// reserve is what the stages that do not ask the guest keep of a stop's time, at most;
	// half of a short one.
	reserve = 6 * time.Second
)

// stopper makes the stops of a VM, one at a time.
type stopper struct {
	turn   sync.Mutex    // held by the stop under way
	forced chan struct{} // closed by a forced stop, which cuts the one under way short
	force  sync.Once

	mu        sync.Mutex
	cancel    context.CancelCauseFunc // ends a start under way; nil before Run
	cancelled bool                    // a stop came before the start was done
	asked     bool                    // a stop of the running VM has begun
	report    ctl.StopReport          // of the last such stop
}

// stage is one way to stop a VM.
type stage struct {
	name   string
	ask    func(context.Context) error
	until  time.Duration // since the stop began: what a stage leaves is the next one's
	polite bool          // it asks the guest; a forced stop leaves it out
	once   bool          // it asks once only
}

// Stop stops the VM: by the guest's agent, then the ACPI power button, QEMU's quit, SIGTERM
// and SIGKILL, each with its share of the time limit. It returns when QEMU has ended, and
// reports which stage worked. Stops that come together take turns; a forced one cuts a
// polite one short. It is safe to call at any time.
func (v *VM) Stop(ctx context.Context, request ctl.StopRequest) (ctl.StopReport, error) {
	if request.Force {
		v.stop.force.Do(func() { close(v.stop.forced) })
	}
	v.stop.turn.Lock()
	defer v.stop.turn.Unlock()
	select {
	case <-v.ended:
		return ctl.StopReport{Stage: "ended before", Tried: []ctl.Attempt{}}, nil
	case <-v.ready:
	default:
		v.stop.cancelStart()
		select {
		case <-v.ended:
			return ctl.StopReport{Stage: "start cancelled", Tried: []ctl.Attempt{}}, nil
		case <-v.ready: // it was too late to cancel
		}
	}
	select {
	case <-v.qemu.done(): // its folder is about to be removed: nothing may be written there
		return ctl.StopReport{Stage: "ended before", Tried: []ctl.Attempt{}}, nil
	default:
		return v.stopBy(ctx, v.qemu.stages(request, v.shutDownByAgent))
	}
}

// stopBy stops a VM that runs, by the first of stages that works.
func (v *VM) stopBy(ctx context.Context, stages []stage) (ctl.StopReport, error) {
	v.stop.begin()
	_ = v.record.become(state.Stopping) // a state file that cannot be written must not keep a VM running
	report := v.stop.run(ctx, stages, v.qemu.done())
	if report.Stage == "" {
		return report, ErrNotStopped
	}
	return report, nil
}

// shutDownByAgent has the guest's agent shut the guest down, if it answers soon.
func (v *VM) shutDownByAgent(ctx context.Context) error {
	pause := pingLimit
	if v.guest.State().Agent {
		pause = busyPingLimit
	}
	pause += time.Duration(v.executing.Load()) * execWait // each may have its turn before
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

// errNoPing is the cause of the end of a ping that has no answer.
var errNoPing = errors.New("no answer")

// stages returns the ways to stop QEMU, in their order, with their shares of the time.
// agent asks the guest's agent.
func (q *qemuProcess) stages(request ctl.StopRequest, agent func(context.Context) error) []stage {
	total := request.Timeout
	if total == 0 {
		total = ctl.DefaultTimeout
	}
	if request.Force {
		return q.hardStages(0, total)
	}
	rest := min(reserve, total/2)
	polite := total - rest
	stages := []stage{
		{name: "agent", ask: agent, until: polite / 2, polite: true, once: true},
		{name: "acpi", ask: q.command("system_powerdown"), until: polite, polite: true},
	}
	if request.Button {
		stages = stages[1:]
	}
	return append(stages, q.hardStages(polite, rest)...)
}

// hardStages returns those that do not ask the guest. They follow others that take the time
// before.
func (q *qemuProcess) hardStages(before, total time.Duration) []stage {
	return []stage{
		{name: "quit", ask: q.command("quit"), until: before + total/3},
		{name: "sigterm", ask: q.signal(unix.SIGTERM), until: before + 2*total/3},
		{name: "sigkill", ask: q.signal(unix.SIGKILL), until: before + total},
	}
}

func (q *qemuProcess) command(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		err := q.execute(ctx, name, nil, nil)
		if errors.Is(err, qmp.ErrClosed) {
			return nil // QEMU is ending: what was wanted
		}
		return err
	}
}

func (q *qemuProcess) signal(signal unix.Signal) func(context.Context) error {
	return func(context.Context) error { return q.process.Signal(signal) }
}

// cancelStart ends a start that is under way, or that will be.
func (s *stopper) cancelStart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancelled = true
	if s.cancel != nil {
		s.cancel(errAbandoned)
	}
}

// startBy sets how the start that begins now is ended, and ends it if a stop came first.
func (s *stopper) startBy(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	if s.cancelled {
		cancel(errAbandoned)
	}
}

func (s *stopper) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = true
}

// result waits for a stop under way, and returns whether there was one, and its report.
func (s *stopper) result() (asked bool, report ctl.StopReport) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.report
}

// run tries stages until done is closed. The report's stage is the one that worked; "" if
// none has.
func (s *stopper) run(ctx context.Context, stages []stage, done <-chan struct{}) ctl.StopReport {
	report, began := ctl.StopReport{Tried: []ctl.Attempt{}}, time.Now()
	for _, stage := range stages {
		attempt := s.attempt(ctx, stage, began, done)
		report.Tried = append(report.Tried, attempt)
		if attempt.Result == worked {
			report.Stage = stage.name
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report = report
	return report
}

// worked is the result of the attempt that ended QEMU.
const worked = "worked"

// attempt tries one stage of a stop that began then, and waits for its effect.
func (s *stopper) attempt(ctx context.Context, stage stage, began time.Time, done <-chan struct{}) ctl.Attempt {
	start := time.Now()
	result := func(text string) ctl.Attempt {
		return ctl.Attempt{Stage: stage.name, Result: text, Seconds: time.Since(start).Seconds()}
	}
	ctx, cancel := context.WithDeadlineCause(ctx, began.Add(stage.until), errNoEffect)
	defer cancel()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	if stage.once {
		again.Stop()
	}
	forced := s.forced
	if !stage.polite {
		forced = nil
	}
	for {
		if err := stage.ask(ctx); err != nil && !errors.Is(err, errNoEffect) {
			return result(err.Error())
		}
		select {
		case <-done:
			return result(worked)
		case <-forced:
			return result("cut short by a forced stop")
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, errNoEffect) {
				return result(cause.Error())
			}
			return result(fmt.Sprintf("no effect within %.1f s", time.Since(start).Seconds()))
		case <-again.C:
		}
	}
}

// errNoEffect is the cause of the end of a stage whose time has passed.
var errNoEffect = errors.New("no effect")
