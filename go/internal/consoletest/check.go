package consoletest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/report"
	"microvm-console/internal/verdict"
)

// Check is one check of a machine.
type Check struct {
	Name string
	// Run returns an error if the check fails.
	Run func(context.Context) error
	// Tests returns the tests that the check has reported, and a summary of them, once Run has
	// returned. It is nil if the check reports none.
	Tests func() (tests []report.Result, summary string)
	// Needs are the names of earlier checks that this one depends on.
	Needs []string
	// Skip is why this machine cannot have the check; "" if it can.
	Skip string
	// Limit bounds the check. If it is 0, the limit of Run does.
	Limit time.Duration
	// AfterEnd is set if the check may run once the machine has ended.
	AfterEnd bool
	// Always is set if Choose always includes the check, because it cleans up. Its context does not
	// end with the machine.
	Always bool
	// Declared is set if vm.json declares the check.
	Declared bool
	// Quiet is set if the check runs only for others, or to clean up: its result is
	// reported only if it fails.
	Quiet bool
}

// Choose returns the checks for which chosen returns true, and those that they need or that
// always run, with Quiet set. It returns nil if none is chosen.
func Choose(checks []Check, chosen func(Check) bool) []Check {
	wanted := map[string]bool{}
	needed := map[string]bool{}
	for i := len(checks) - 1; i >= 0; i-- { // a check needs only earlier ones
		check := checks[i]
		wanted[check.Name] = chosen(check)
		if wanted[check.Name] || needed[check.Name] || check.Always {
			for _, name := range check.Needs {
				needed[name] = true
			}
		}
	}
	var all []Check
	matched := false
	for _, check := range checks {
		matched = matched || wanted[check.Name]
		if wanted[check.Name] || needed[check.Name] || check.Always {
			check.Quiet = !wanted[check.Name]
			all = append(all, check)
		}
	}
	if !matched {
		return nil
	}
	return all
}

// errLimit is the cause of a context that ends with the time limit of a check.
type errLimit time.Duration

func (e errLimit) Error() string { return fmt.Sprintf("nothing within %v", time.Duration(e)) }

// failed returns the error of a check that has waited in vain: what is missing, why the wait
// has ended, and the last line of the console (see lastOutput; "": none). The last line is
// left out if the machine has ended, as the cause says more.
func failed(what string, cause error, last string) error {
	if last != "" && !errors.Is(cause, ErrEnded) {
		last = "; " + last
	} else {
		last = ""
	}
	var limit errLimit
	if errors.As(cause, &limit) {
		return fmt.Errorf("%s within %v%s", what, time.Duration(limit), last)
	}
	return fmt.Errorf("%s: %w%s", what, cause, last)
}

// withAdvice returns the check with an error that names --timeout if the limit of Run ends it
// while slow returns true.
func (c Check) withAdvice(slow func() bool) Check {
	run := c.Run
	c.Run = func(ctx context.Context) error {
		err := run(ctx)
		var limit errLimit
		if err != nil && c.Limit == 0 && errors.As(context.Cause(ctx), &limit) && slow() {
			return fmt.Errorf("%w (the guest is emulated and still prints: try a longer --timeout)", err)
		}
		return err
	}
	return c
}

// withGaps returns the check with an error that names a gap in the output that came while it ran.
func (c Check) withGaps(gaps func() []verdict.Gap) Check {
	run := c.Run
	c.Run = func(ctx context.Context) error {
		before := gaps()
		err := run(ctx)
		if err == nil {
			return nil
		}
		for _, gap := range gaps() {
			if !slices.Contains(before, gap) {
				return fmt.Errorf("%w; %s", err, gap)
			}
		}
		return err
	}
	return c
}

// ErrEnded is the error of a check that the end of the machine has made fail. End wraps it.
var ErrEnded = errors.New("the VM has ended")

// End is the cause with which the caller ends the context of Run when the machine has ended.
type End struct {
	How    error          // how it has ended
	Kernel verdict.Result // on its whole log
}

// Error returns the text of ErrEnded. The failure has the rest once, before it; see withCause.
func (e *End) Error() string { return ErrEnded.Error() }

// Unwrap returns ErrEnded and how the machine has ended.
func (e *End) Unwrap() []error { return []error{ErrEnded, e.How} }

// withCause is the error of a check that has failed with the end of the machine: how the machine has
// ended, the events in the kernel's log, and what the check waited for.
type withCause struct {
	error
	end *End
}

func (e withCause) Unwrap() error { return e.error }

func (e withCause) Error() string {
	text := e.end.How.Error()
	if e.end.Kernel.Verdict == verdict.Broken {
		var cause *guest.Error
		if errors.As(e.end.How, &cause) && e.end.Kernel.Panicked() { // else no event has the message
			text = cause.WithoutMessage()
		}
		text += "; the kernel has reported: " + e.end.Kernel.Err().Error()
	}
	if waited := e.error.Error(); waited != ErrEnded.Error() {
		text += "\n" + waited
	}
	return text
}

// ended is an error that is ErrEnded, without its text.
type ended struct{ error }

// Is reports whether target is ErrEnded.
func (e ended) Is(target error) bool { return target == ErrEnded }

// Run runs checks in order, each for at most limit, and returns their results. It calls
// progress before each (with done false) and after it. If ctx ends with End, one check
// fails with the cause: the one that ran, or else the next. The remaining checks are not run; their
// reason names it. If ctx ends otherwise, the test is interrupted: the remaining checks, and the one
// that runs, are not run.
func Run(ctx context.Context, checks []Check, limit time.Duration, progress func(result report.Result, done bool)) []report.Result {
	var results []report.Result
	blamed := "" // the check that has failed with the end of the machine
	for _, check := range checks {
		result := report.Result{Name: check.Name, Skipped: check.Skip}
		if check.Skip == "" {
			if !check.Quiet {
				progress(result, false)
			}
			start := time.Now()
			var begun bool
			begun, result.NotRun, result.Err = once(ctx, check, limit, blamed)
			if begun {
				result.Started, result.Duration = start, time.Since(start)
			}
			if errors.Is(result.Err, ErrEnded) {
				blamed = check.Name
			}
			if end := (*End)(nil); errors.As(result.Err, &end) {
				result.Err = withCause{result.Err, end}
			}
		}
		if check.Quiet && result.Err == nil {
			continue
		}
		var tests []report.Result
		if check.Tests != nil && check.Skip == "" {
			tests, result.Summary = check.Tests()
		}
		for _, result := range append([]report.Result{result}, tests...) {
			progress(result, true)
			results = append(results, result)
		}
	}
	return results
}

// notBegun is the reason of a check that follows an interruption.
const notBegun = "interrupted"

// needs is the error of a check that cannot run because an earlier one has failed: why it was
// not run.
type needs string

func (n needs) Error() string { return string(n) }

// once runs one check, unless ctx has ended. begun reports whether it ran. notRun is why the
// check has no result; "" if it has one. blamed is the earlier check that has failed with the end of
// the machine.
func once(ctx context.Context, check Check, limit time.Duration, blamed string) (begun bool, notRun string, err error) {
	late := fmt.Sprintf("%v: see %q", ErrEnded, blamed)
	switch {
	case interrupted(ctx):
		return false, notBegun, nil
	case check.AfterEnd:
	case ctx.Err() != nil && blamed != "":
		return false, late, nil
	case ctx.Err() != nil:
		return false, "", context.Cause(ctx)
	}
	if check.Limit > 0 {
		limit = check.Limit
	}
	err = orEnd(ctx, check.within(ctx, limit))
	var missing needs
	switch {
	case errors.As(err, &missing):
		return false, string(missing), nil
	case err != nil && interrupted(ctx):
		return true, "interrupted before its end", nil
	case blamed != "" && errors.Is(err, ErrEnded):
		return true, late, nil
	}
	return true, "", err
}

// orEnd returns the error of a check. If that may follow from the end of the machine, because
// a stream has ended or its lines are wrong, it waits until ctx ends, for at most endLimit, and
// adds the cause.
func orEnd(ctx context.Context, err error) error {
	var broken *net.OpError
	var wrong wrongLine
	if !errors.As(err, &broken) && !errors.As(err, &wrong) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", err, context.Cause(ctx))
	case <-time.After(endLimit):
		return err
	}
}

// within runs the check for at most limit.
func (c Check) within(ctx context.Context, limit time.Duration) error {
	if c.Always {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errLimit(limit))
	defer cancel()
	return c.Run(ctx)
}

// interrupted reports whether the context of Run has ended before the machine.
func interrupted(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrEnded)
}
