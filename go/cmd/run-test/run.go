package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/consoletest"
	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/report"
	"microvm-console/internal/vm"
	"microvm-console/internal/vmconfig"
)

// lastLines is how many last lines of each console a failed run tells.
const lastLines = 40

// stopNow ends a VM that the checks have left running.
var stopNow = ctl.StopRequest{Force: true}

// tester makes the checks of one machine, once or several times.
type tester struct {
	machine vmconfig.Machine
	choose  func([]consoletest.Check) []consoletest.Check
	limit   time.Duration // of each check
	lines   int           // that the guest prints on each console
	pretty  report.Pretty
	tails   []vm.Tail // of this run's first failed check, as it failed
}

// run starts the machine, makes the checks, and stops it. Its journals are in
// folder. The error is how the VM ended, which the run tells too.
func (t *tester) run(ctx context.Context, folder string) (report.Run, error) {
	v := vm.New(t.machine, vm.Options{
		AutoPorts:  true,
		JournalDir: func(console string) (string, error) { return filepath.Join(folder, console), nil },
		Log:        func(line string) { fmt.Fprintf(t.pretty.W, "%s: %s\n", t.machine.Name, line) },
	})
	run := report.Run{VM: t.machine.Name, Started: time.Now()}
	checking, over := context.WithCancelCause(ctx)
	var group errgroup.Group
	group.Go(func() error {
		err := v.Run(ctx)
		if ctx.Err() != nil { // which is why it has ended, and is about to end checking
			return uninterrupted(ctx, err)
		}
		over(fmt.Errorf("%w: %w", consoletest.ErrEnded, cmp.Or(err, errors.New("nobody asked for it"))))
		return err
	})
	suite := consoletest.NewSuite(t.machine, v, t.lines)
	t.tails = nil
	run.Results = consoletest.Run(checking, t.choose(suite.Checks()), t.limit, func(result report.Result, done bool) {
		t.tail(v, result, done)
		t.pretty.Progress(result, done)
	})
	run.ToLogin = suite.ToLogin()
	suite.Close()
	// After a clean shutdown there is nothing left to stop.
	_, ended := v.Stop(context.WithoutCancel(ctx), stopNow)
	if ended == nil { // else it does not end
		ended = group.Wait()
	}
	run.Duration = time.Since(run.Started)
	if ended != nil && !run.Failed() {
		run.Results = append(run.Results, report.Result{Name: consoletest.NameEndsWell, Err: ended})
		t.pretty.Progress(run.Results[len(run.Results)-1], true)
	}
	t.describe(&run, v, ended)
	t.pretty.Close(run)
	return run, ended
}

// uninterrupted is err, the machine's, unless it says no more than that ctx has ended.
func uninterrupted(ctx context.Context, err error) error {
	if errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}

// tail keeps what the consoles show when the first check fails, or is interrupted: the
// checks that follow print more.
func (t *tester) tail(v *vm.VM, result report.Result, done bool) {
	if !done || result.Err == nil && result.NotRun == "" || t.tails != nil {
		return
	}
	select {
	case <-v.Ready():
		t.tails = v.Tails(lastLines)
	default: // it has not started
	}
}

// describe adds what the machine, which has ended, says about itself.
func (t *tester) describe(run *report.Run, v *vm.VM, ended error) {
	status := v.Status()
	run.Accel, run.Type = status.Accel, status.Machine
	if run.Passed() {
		return
	}
	run.Command = v.Command()
	var cause *guest.Error
	_ = errors.As(ended, &cause)
	tails := t.tails
	if tails == nil {
		tails = v.Tails(lastLines)
	}
	for _, tail := range tails {
		lines := tail.Lines
		if cause != nil && cause.Device == tail.Console.Device {
			lines = cause.Lines // without those of the boot that follows
		}
		run.Consoles = append(run.Consoles, report.Console{Device: tail.Console.Device, Bytes: tail.Bytes, Lines: lines})
	}
}

// kept keeps the folder of a run's journals, where that is wanted and there is
// something in it, and names it in the run; else it removes the folder.
func kept(c *cli.Context, run *report.Run, folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil // the VM did not come so far
	}
	if err != nil {
		return multierror.Append(err, os.RemoveAll(folder)).ErrorOrNil()
	}
	if len(entries) > 0 && (c.Bool("keep") || !run.Passed()) {
		run.Kept = folder
		return nil
	}
	return os.RemoveAll(folder)
}
