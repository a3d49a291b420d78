package consoletest

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// Check is one thing to be found true.
type Check struct {
	Name string
	Run  func(context.Context) error
}

// Result is how a check came out.
type Result struct {
	Name     string
	Duration time.Duration
	Err      error // nil: passed
}

// Report is how all checks came out, in their order.
type Report struct {
	Results []Result
}

// Failed is the number of checks that did not pass.
func (r Report) Failed() int {
	failed := 0
	for _, result := range r.Results {
		if result.Err != nil {
			failed++
		}
	}
	return failed
}

// errLimit is why a check ends that took too long.
type errLimit time.Duration

func (e errLimit) Error() string { return fmt.Sprintf("nothing within %v", time.Duration(e)) }

// Run runs checks in their order, each for at most limit, and calls progress
// before (with done false) and after each. When ctx ends, the checks that are
// left fail with its cause.
func Run(ctx context.Context, checks []Check, limit time.Duration, progress func(result Result, done bool)) Report {
	var report Report
	for _, check := range checks {
		result := Result{Name: check.Name}
		progress(result, false)
		start := time.Now()
		result.Err = once(ctx, check, limit)
		result.Duration = time.Since(start)
		progress(result, true)
		report.Results = append(report.Results, result)
	}
	return report
}

func once(ctx context.Context, check Check, limit time.Duration) error {
	if ctx.Err() != nil {
		// Why it has ended was told by the check that saw it.
		cause, _, _ := strings.Cut(context.Cause(ctx).Error(), ": ")
		return fmt.Errorf("not run: %s", cause)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errLimit(limit))
	defer cancel()
	return check.Run(ctx)
}

// Pretty writes results for people, in colour if that is wanted.
type Pretty struct {
	W      io.Writer
	Colour bool
	// Animate shows a check while it runs; W must be a terminal.
	Animate bool
}

// Progress writes one result; it is meant for Run.
func (p Pretty) Progress(result Result, done bool) {
	switch {
	case !done && p.Animate:
		fmt.Fprintf(p.W, "\x1b[K...          %s\r", result.Name)
	case !done:
	case result.Err == nil:
		fmt.Fprintf(p.W, p.clear()+"%s %7.2f s  %s\n", p.paint("32", "ok  "), result.Duration.Seconds(), result.Name)
	default:
		fmt.Fprintf(p.W, p.clear()+"%s %7.2f s  %s\n", p.paint("31", "FAIL"), result.Duration.Seconds(), result.Name)
		fmt.Fprintf(p.W, "                %v\n", result.Err)
	}
}

// Close writes the closing line.
func (p Pretty) Close(report Report) {
	failed := report.Failed()
	fmt.Fprintf(p.W, "%d passed, %d failed\n", len(report.Results)-failed, failed)
}

// clear clears what the line showed while a check ran (ECMA-48, EL).
func (p Pretty) clear() string {
	if p.Animate {
		return "\x1b[K"
	}
	return ""
}

// paint colours text with an SGR code (ECMA-48).
func (p Pretty) paint(code, text string) string {
	if !p.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
