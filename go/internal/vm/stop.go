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

// ErrNotStopped is returned if QEMU still runs after every stage of a stop.
var ErrNotStopped = errors.New("vm: still running after every stage of the stop")

// errAbandoned is the cause of a start's end if Stop was called.
var errAbandoned = errors.New("stopped before the VM had started")

// stopper runs the stops of a VM, one at a time.
type stopper struct {
	forced chan struct{} // closed by a forced stop, which cuts the current one short
	force  sync.Once

	turn   sync.Mutex     // held by the current stop
	asked  bool           // a stop of the running VM has begun
	report ctl.StopReport // of the last stop of the running VM

	mu       sync.Mutex
	cancel   context.CancelCauseFunc // ends the start; nil before Run
	canceled bool                    // Stop was called before the start was complete
}

// Stop stops the VM: by the guest's agent, the ACPI power button, QEMU's quit command, SIGTERM
// and SIGKILL, in this order, each with its share of the timeout. It returns when QEMU has
// ended, and reports which stage worked. Concurrent stops run one after the other; a forced
// stop ends the stages that ask the guest. Stop may be called at any time.
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
			return ctl.StopReport{Stage: "start canceled", Tried: []ctl.Attempt{}}, nil
		case <-v.ready: // too late to cancel
		}
	}
	select {
	case <-v.qemu.done(): // the VM's directory is being removed: nothing may be written there
		return ctl.StopReport{Stage: "ended before", Tried: []ctl.Attempt{}}, nil
	default:
		return v.stopBy(ctx, v.qemu.stages(request, v.shutDownByAgent))
	}
}

// stopBy stops a running VM by the first of stages that works. The caller holds v.stop.turn.
func (v *VM) stopBy(ctx context.Context, stages []stage) (ctl.StopReport, error) {
	v.stop.asked = true
	_ = v.record.become(state.Stopping) // an error writing state.json must not prevent the stop
	report := v.stop.run(ctx, stages, v.qemu.done())
	for _, attempt := range report.Tried {
		v.record.detail(fmt.Sprintf("stop: %s: %s after %.1f s", attempt.Stage, attempt.Result, attempt.Seconds))
	}
	if report.Stage == "" {
		return report, ErrNotStopped
	}
	return report, nil
}

// cancelStart ends the start, even one that has not begun.
func (s *stopper) cancelStart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.canceled = true
	if s.cancel != nil {
		s.cancel(errAbandoned)
	}
}

// startBy sets the function that ends the start. It calls it if Stop was called before.
func (s *stopper) startBy(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	if s.canceled {
		cancel(errAbandoned)
	}
}

// result waits for the current stop, if any. It reports whether there was a stop, and returns its
// report.
func (s *stopper) result() (asked bool, report ctl.StopReport) {
	s.turn.Lock()
	defer s.turn.Unlock()
	return s.asked, s.report
}

// run tries stages until done is closed. The report's stage is the one that worked, or "".
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

// attempt tries one stage of a stop, which began at began, and waits for its effect.
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

// errNoEffect is the cause of a stage's timeout.
var errNoEffect = errors.New("no effect")
