package consoletest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"microvm-console/internal/report"
)

// Check is one thing to be found true.
type Check struct {
	Name string
	Run  func(context.Context) error
	// Needs are the names of the checks, before it, that it stands on.
	Needs []string
	// Skip is why the check cannot be made here; "": it can.
	Skip string
	// Limit bounds the check; 0: the limit of all.
	Limit time.Duration
	// AfterEnd tells that the check can be made though the machine has ended.
	AfterEnd bool
	// Always tells that the check is made whichever are chosen: it cleans up.
	Always bool
	// Quiet tells that it is made for others, or to clean up, and that nobody has
	// asked for it: its result is told only if it failed.
	Quiet bool
}

// Choose returns the checks whose names match pattern, and, as quiet ones, what
// they stand on and what is always made. nil: none matches.
func Choose(checks []Check, pattern *regexp.Regexp) []Check {
	wanted := map[string]bool{}
	needed := map[string]bool{}
	for i := len(checks) - 1; i >= 0; i-- { // what a check needs is before it
		check := checks[i]
		wanted[check.Name] = pattern.MatchString(check.Name)
		if wanted[check.Name] || needed[check.Name] || check.Always {
			for _, name := range check.Needs {
				needed[name] = true
			}
		}
	}
	var chosen []Check
	matched := false
	for _, check := range checks {
		matched = matched || wanted[check.Name]
		if wanted[check.Name] || needed[check.Name] || check.Always {
			check.Quiet = !wanted[check.Name]
			chosen = append(chosen, check)
		}
	}
	if !matched {
		return nil
	}
	return chosen
}

// errLimit is why a check ends that took too long.
type errLimit time.Duration

func (e errLimit) Error() string { return fmt.Sprintf("nothing within %v", time.Duration(e)) }

// ErrEnded is why ctx of Run ends where the machine has ended.
var ErrEnded = errors.New("the VM has ended")

// Run makes checks in their order, each for at most limit, and calls progress
// before (with done false) and after each. When ctx ends with ErrEnded, the checks
// that are left fail. When it ends otherwise, somebody wants no more of them: they,
// and the one under way, are not run.
func Run(ctx context.Context, checks []Check, limit time.Duration, progress func(result report.Result, done bool)) []report.Result {
	var results []report.Result
	for _, check := range checks {
		result := report.Result{Name: check.Name, Skipped: check.Skip}
		if check.Skip == "" {
			if !check.Quiet {
				progress(result, false)
			}
			start := time.Now()
			result.NotRun, result.Err = once(ctx, check, limit)
			if result.NotRun != notBegun {
				result.Duration = time.Since(start)
			}
		}
		if check.Quiet && result.Err == nil {
			continue
		}
		progress(result, true)
		results = append(results, result)
	}
	return results
}

// notBegun is why a check was not run that comes behind an interruption.
const notBegun = "interrupted"

// once makes one check, unless ctx has ended; notRun is why it has no result.
func once(ctx context.Context, check Check, limit time.Duration) (notRun string, err error) {
	switch {
	case interrupted(ctx):
		return notBegun, nil
	case check.AfterEnd:
	case ctx.Err() != nil:
		return "", fmt.Errorf("not run: %w", ErrEnded) // why was told by the check that saw it
	}
	if check.Limit > 0 {
		limit = check.Limit
	}
	err = check.within(ctx, limit)
	if err != nil && interrupted(ctx) {
		return "interrupted before its end", nil
	}
	return "", err
}

// within makes the check for at most limit.
func (c Check) within(ctx context.Context, limit time.Duration) error {
	if c.AfterEnd {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errLimit(limit))
	defer cancel()
	return c.Run(ctx)
}

// interrupted tells whether ctx of Run has ended before the machine.
func interrupted(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrEnded)
}
