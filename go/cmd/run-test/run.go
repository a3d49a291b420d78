package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/consoletest"
	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/report"
	"microvm-console/internal/verdict"
	"microvm-console/internal/vm"
	"microvm-console/internal/vmconfig"
)

// lastLines is how many last lines of each console the details of a run have.
const lastLines = 40

// longTail is how many lines are read for that: what run-test has typed is left out of them.
const longTail = 10 * lastLines

// tester runs the checks of one machine once.
type tester struct {
	machine vmconfig.Machine
	choose  func([]consoletest.Check) []consoletest.Check
	limit   time.Duration // of each check
	lines   int           // how many numbered lines the guest prints on each console
	quiet   bool          // no lines about the VM
	verbose bool          // more lines about the VM
	pretty  *report.Pretty
	live    func(device string) func(data []byte) // see consoletest.Suite.Live
	command string                                // QEMU's
	tails   []vm.Tail                             // the last lines when the first check failed
	until   string                                // that failure; see report.Console

	collected bool // a crash bundle was requested
}

// note prints a line about the VM. After an interruption it prints nothing: the end of the VM
// has no check.
func (t *tester) note(ctx context.Context, line string) {
	if !t.quiet && ctx.Err() == nil {
		t.pretty.Note(fmt.Sprintf("%s: %s", t.machine.Name, line))
	}
}

// run starts the machine, runs the checks, and stops the machine. The journals are in folder.
// The error is how the VM ended; a result of the run has it too.
func (t *tester) run(ctx context.Context, folder string) (report.Run, error) {
	rules, err := t.machine.KernelLog.Rules() // the file was checked, and may have changed
	if err != nil {
		return report.Run{VM: t.machine.Name, Started: time.Now()}, err
	}
	judge := consoletest.NewJudge(t.machine, rules)
	restarts := &consoletest.Restarts{}
	v := vm.New(t.machine, vm.Options{
		Observer:    consoletest.Observer(judge, restarts),
		FailOnReset: true,
		AutoPorts:   true,
		ScratchDir:  folder,
		JournalDir:  func(console string) (string, error) { return filepath.Join(folder, console), nil },
		Verbose:     t.verbose,
		Log:         func(line string) { t.note(ctx, line) },
	})
	defer context.AfterFunc(ctx, func() { t.pretty.Note("interrupted: stopping the VM (Ctrl-C again ends it at once)") })()
	run := report.Run{VM: t.machine.Name, Started: time.Now()}
	checking, over := context.WithCancelCause(ctx)
	var group errgroup.Group
	group.Go(func() error {
		err := v.Run(ctx)
		if ctx.Err() != nil { // it has ended the VM, and ends the checks
			return uninterrupted(ctx, err)
		}
		over(&consoletest.End{How: cmp.Or(err, errors.New(v.Status().Ended)), Kernel: judge.Result()})
		return err
	})
	suite := consoletest.NewSuite(t.machine, v, t.lines)
	suite.Kernel, suite.Restarts = judge, restarts
	suite.Live = t.live
	run.Results = consoletest.Run(checking, t.choose(suite.Checks()), t.limit, func(result report.Result, done bool) {
		t.tail(v, result, done)
		t.collect(v, result, done)
		t.pretty.Progress(result, done)
	})
	run.ToLogin = suite.ToLogin()
	suite.Close()
	// After a clean shutdown this does nothing.
	_, ended := v.Stop(context.WithoutCancel(ctx), ctl.StopRequest{Force: true})
	if ended == nil { // else Run would not return
		ended = group.Wait()
	}
	run.Duration = time.Since(run.Started)
	if ended != nil && !reported(run, ended) {
		run.Results = append(run.Results, report.Result{Name: consoletest.NameEndsWell, Err: ended})
		t.pretty.Progress(run.Results[len(run.Results)-1], true)
	}
	t.describe(&run, v, suite, ended)
	t.noteEvents(ctx, judge, &run)
	t.pretty.Close(run)
	return run, ended
}

// reported reports whether a check of the run has failed because of ended, how the VM has ended. An error
// of the host may be the consequence of any failure.
func reported(run report.Run, ended error) bool {
	if cause := (*guest.Error)(nil); !errors.As(ended, &cause) {
		return run.Failed()
	}
	return slices.ContainsFunc(run.Results, func(result report.Result) bool { return errors.Is(result.Err, consoletest.ErrEnded) })
}

// noteEvents adds the verdict on the kernel's log to the run, and prints what it has that fails nothing.
func (t *tester) noteEvents(ctx context.Context, judge *verdict.Judge, run *report.Run) {
	if run.Accel == "" {
		return // QEMU has not started
	}
	result := judge.Result()
	run.Kernel = &result
	for _, line := range result.Notes() {
		t.note(ctx, line)
	}
}

// uninterrupted returns err, the machine's, unless it is only that ctx has ended.
func uninterrupted(ctx context.Context, err error) error {
	if errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}

// tail keeps the last lines of the consoles when the first check fails or is interrupted:
// later checks print more.
func (t *tester) tail(v *vm.VM, result report.Result, done bool) {
	if !done || result.Err == nil && result.NotRun == "" || t.tails != nil {
		return
	}
	select {
	case <-v.Ready():
		t.tails, t.until = v.Tails(longTail), fmt.Sprintf("%q failed", result.Name)
		if result.Err == nil {
			t.until = fmt.Sprintf("%q was interrupted", result.Name)
		}
	default: // QEMU has not started
	}
}

// collect collects a crash bundle of a machine that collects when a check fails for the first time.
// The machine itself does so when its guest panics.
func (t *tester) collect(v *vm.VM, result report.Result, done bool) {
	if !t.machine.Collect || !done || result.Err == nil || t.collected {
		return
	}
	t.collected = true
	// An error means that the guest has already ended.
	_, _ = v.Collect(context.Background(), ctl.CrashRequest{Reason: fmt.Sprintf("%q failed: %v", result.Name, result.Err)})
}

// describe adds the details of the machine, which has ended, to the run.
func (t *tester) describe(run *report.Run, v *vm.VM, suite *consoletest.Suite, ended error) {
	status := v.Status()
	t.command = v.Command()
	run.Accel, run.Type, run.Restarts = status.Accel, status.Machine, status.Restarts
	if run.Passed() {
		return
	}
	run.Command = t.command
	var cause *guest.Error
	_ = errors.As(ended, &cause)
	tails := t.tails
	if tails == nil {
		tails = v.Tails(longTail)
	}
	for _, tail := range tails {
		lines, until := tail.Lines, t.until
		if cause != nil && cause.Device == tail.Console.Device {
			lines, until = cause.Lines, "" // without those of a later boot
		}
		lines = suite.WithoutTyping(tail.Console.Device, lines)
		lines = lines[max(0, len(lines)-lastLines):]
		run.Consoles = append(run.Consoles, report.Console{Device: tail.Console.Device, Bytes: tail.Bytes, Lines: lines, Until: until})
	}
}
