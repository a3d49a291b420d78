package consoletest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ktap"
	"microvm-console/internal/report"
	"microvm-console/internal/vmconfig"
)

// skipStatus is the exit status of a kselftest that was skipped (KSFT_SKIP in kselftest.h).
const skipStatus = 4

// wantKTAP is the advice on output without results.
const wantKTAP = `want a line "KTAP version 1" or "TAP version 13"`

// kunitDisabled is what a kernel prints instead of the results of KUnit (kunit_run_all_tests in
// lib/kunit/executor.c).
const kunitDisabled = "kunit: disabled"

// ktapCheck is a check that reports the tests of its output.
type ktapCheck struct {
	suite  *Suite
	check  vmconfig.Check
	device string
	tests  []ktap.Test // of the last run
}

// reports makes check one that reads KTAP.
func (s *Suite) reports(check *Check, declared vmconfig.Check, device string) {
	k := &ktapCheck{suite: s, check: declared, device: device}
	check.Run, check.Tests = k.console, k.results
	if declared.Run != "" {
		check.Run = s.Restarts.end(k.command)
		return
	}
	check.Needs = []string{namePrinted} // it needs no shell
	check.AfterEnd = true
}

// command runs a command, and reads its output. The guest's agent runs it if there is one, as
// the kernel's lines are not in its output; else the shell on the console does.
func (k *ktapCheck) command(ctx context.Context) error {
	k.tests = nil
	run := k.shell
	if k.suite.vm != nil && k.suite.vm.Status().Agent {
		run = k.agent
	}
	var parser ktap.Parser
	status, err := run(ctx, &parser)
	if result := k.finish(&parser, err); result != nil || err != nil {
		return result
	}
	if status != k.check.Status && (status != skipStatus || ktap.Count(k.tests, ktap.Skipped) < len(k.tests)) {
		return fmt.Errorf("guest: %q on %s ended with status %d, want %d", k.check.Run, k.device, status, k.check.Status)
	}
	return nil
}

// agent runs the command by the guest's agent.
func (k *ktapCheck) agent(ctx context.Context, parser *ktap.Parser) (status int, err error) {
	request := ctl.ExecRequest{Command: []string{"/bin/sh", "-c", k.check.Run}}
	var end ctl.ExecEnd
	err = k.suite.vm.Exec(ctx, request, func(frame ctl.ExecFrame) error {
		if frame.End != nil {
			end = *frame.End
		}
		_, err := parser.Write(frame.Stdout)
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case end.Error != "":
		return 0, fmt.Errorf("guest: %s", end.Error)
	case end.Truncated:
		return 0, errors.New("guest: the agent has dropped a part of the output")
	case end.Signal != 0:
		return 128 + end.Signal, nil // as a shell reports it
	}
	return end.Status, nil
}

// shell runs the command in the shell on the console.
func (k *ktapCheck) shell(ctx context.Context, parser *ktap.Parser) (status int, err error) {
	shell, err := k.suite.shell(k.device)
	if err != nil {
		return 0, err
	}
	from := shell.Size()
	output, status, err := shell.command(ctx, k.check.Run)
	if err != nil {
		output = string(shell.from(from)) // what it has printed until then
	}
	_, _ = parser.Write([]byte(output))
	return status, err
}

// console reads what the console prints, from its first byte on, until the results that were
// planned have come. KUnit plans none if no tests are built into the kernel.
func (k *ktapCheck) console(ctx context.Context) error {
	k.tests = nil
	console, err := k.suite.console(k.device)
	if err != nil {
		return err
	}
	var parser ktap.Parser
	cause := console.feed(ctx, &parser)
	switch {
	case cause != nil && !parser.Begun():
		return console.partly(0, noResults(console, cause))
	case parser.Empty():
		return fmt.Errorf("guest: no tests on %s: their plan is 1..0 (build tests into the kernel, or correct kunit.filter_glob)", k.device)
	}
	return console.partly(0, k.finish(&parser, cause))
}

// noResults returns the error of a check that has found no results on a console.
func noResults(console *Console, cause error) error {
	err := failed("guest: no results of tests on "+console.Device, cause, console.lastOutput())
	switch {
	case bytes.Contains(console.from(0), []byte(kunitDisabled)):
		return fmt.Errorf("%w (the kernel has printed %q: add kunit.enable=1 to kernelParams)", err, kunitDisabled)
	case errors.Is(cause, ErrEnded): // by a panic, for example
		return err
	}
	return fmt.Errorf("%w (%s; KUnit needs CONFIG_KUNIT=y)", err, wantKTAP)
}

// finish keeps the tests, and returns an error unless all have passed or were skipped. cause
// is why there is no more output; nil if that is its regular end.
func (k *ktapCheck) finish(parser *ktap.Parser, cause error) error {
	begun, complete := parser.Begun(), parser.Complete()
	k.tests = ktap.Cases(parser.Close())
	failed, notRun := ktap.Count(k.tests, ktap.Failed), ktap.Count(k.tests, ktap.NotRun)
	switch {
	case !begun && cause != nil:
		return fmt.Errorf("guest: no results of tests on %s: %w", k.device, cause)
	case !begun:
		return fmt.Errorf("guest: %q printed no results of tests (%s)", k.check.Run, wantKTAP)
	case failed+notRun > 0 && cause != nil:
		return fmt.Errorf("guest: %s: %w", counts(k.tests), cause)
	case failed+notRun > 0:
		return fmt.Errorf("guest: %s", counts(k.tests))
	case cause != nil:
		return cause
	case !complete:
		return errors.New("guest: the results have no plan (a line such as 1..3): some may be missing")
	}
	return nil
}

// counts returns how many tests have which outcome.
func counts(tests []ktap.Test) string {
	var parts []string
	for _, outcome := range []ktap.Outcome{ktap.Passed, ktap.Failed, ktap.Skipped, ktap.NotRun} {
		if n := ktap.Count(tests, outcome); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	return "tests: " + strings.Join(parts, ", ")
}

// results returns the tests of the last run for the report. Of several with one name, the second is
// "NAME #2": in a report, a name is one test.
func (k *ktapCheck) results() ([]report.Result, string) {
	var results []report.Result
	last := map[string]int{} // the number of the last test with that name; 0: none
	for _, test := range k.tests {
		name := test.Name
		for last[name] > 0 {
			last[test.Name]++
			name = fmt.Sprintf("%s #%d", test.Name, last[test.Name])
		}
		last[name] = 1
		result := report.Result{Name: k.check.Name + " / " + name, Test: true}
		why := test.Why
		if why == "" {
			why = string(test.Outcome)
		}
		switch test.Outcome {
		case ktap.Failed:
			result.Err = errors.New(why)
		case ktap.Skipped:
			result.Skipped = why
		case ktap.NotRun:
			result.NotRun = why
		}
		results = append(results, result)
	}
	if len(results) == 0 {
		return nil, ""
	}
	return results, counts(k.tests)
}

// feed writes what was read since the connection's begin, and what follows, to parser until
// its results are complete. The error is that of watch.
func (c *Console) feed(ctx context.Context, parser *ktap.Parser) error {
	read := 0
	return c.watch(ctx, 0, func(text []byte, end int) bool {
		_, _ = parser.Write(since(text, end, read))
		read = end
		return parser.Complete()
	})
}
