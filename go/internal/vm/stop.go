package vm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/state"
)

// ErrNotStopped is returned if every stage of a stop has failed within its limit.
var ErrNotStopped = errors.New("vm: still running after every stage of the stop")

// errAbandoned is why a start ends that was stopped.
var errAbandoned = errors.New("stopped before it had started")

// stopper makes the stops of a VM, one at a time.
type stopper struct {
	forced chan struct{} // closed by a forced stop, which cuts the one under way short
	force  sync.Once

	turn   sync.Mutex     // held by the stop under way
	asked  bool           // a stop of the running VM has begun
	report ctl.StopReport // of the last such stop

	mu        sync.Mutex
	cancel    context.CancelCauseFunc // ends a start under way; nil before Run
	cancelled bool                    // a stop came before the start was done
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

// stopBy stops a VM that runs, by the first of stages that works. The caller holds the turn.
func (v *VM) stopBy(ctx context.Context, stages []stage) (ctl.StopReport, error) {
	v.stop.asked = true
	_ = v.record.become(state.Stopping) // a state file that cannot be written must not keep a VM running
	report := v.stop.run(ctx, stages, v.qemu.done())
	for _, attempt := range report.Tried {
		v.record.detail(fmt.Sprintf("stop: %s: %s after %.1f s", attempt.Stage, attempt.Result, attempt.Seconds))
	}
	if report.Stage == "" {
		return report, ErrNotStopped
	}
	return report, nil
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

// result waits for a stop under way, and returns whether there was one, and its report.
func (s *stopper) result() (asked bool, report ctl.StopReport) {
	s.turn.Lock()
	defer s.turn.Unlock()
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
