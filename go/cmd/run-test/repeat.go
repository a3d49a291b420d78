package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/color"
	"microvm-console/internal/consoletest"
	"microvm-console/internal/display"
	"microvm-console/internal/guest"
	"microvm-console/internal/report"
)

// repeat tests each machine as often as --repeat says, at most --jobs of them at the same time, and
// reports the results.
func repeat(c *cli.Context, subjects []subject, choose func([]consoletest.Check) []consoletest.Check) error {
	s := &series{c: c, choose: choose, beside: together(c, subjects), out: &lockedWriter{w: c.App.Writer}, errout: &lockedWriter{w: c.App.ErrWriter}}
	s.report = report.Report{Version: cmdline.Version, Repeat: c.Int("repeat")}
	for _, one := range subjects {
		s.report.Machines = append(s.report.Machines, one.name)
	}
	var err error
	if s.base, s.made, err = makeFolder(c, subjects[0].name); err != nil {
		return err
	}
	errs := s.runAll(subjects)
	all := s.report
	all.Interrupted = c.Err() != nil
	if all.Several() {
		errs = multierror.Append(errs, pretty(c, c.App.Writer).Statistics(all))
	}
	errs = multierror.Append(errs, deliver(c, all), s.archive(all))
	return outcome(all, errs, s.base)
}

// prints reports whether the results are printed as they come: unless the report goes to
// standard output.
func prints(c *cli.Context) bool { return c.String("format") == "pretty" || c.IsSet("output") }

// pretty returns the Pretty that prints the results to w, standard output, as they come. It prints
// nothing if the report goes to standard output.
func pretty(c *cli.Context, w io.Writer) *report.Pretty {
	if !prints(c) {
		return &report.Pretty{W: io.Discard}
	}
	p := &report.Pretty{W: w, Palette: color.Of(c.App.Writer)}
	p.Hide = func(result report.Result) bool {
		// After an interruption the totals say how many checks were not run.
		return result.NotRun != "" && c.Err() != nil || c.Bool("quiet") && result.Err == nil
	}
	if !c.Bool("quiet") {
		p.Columns = display.Width(c.App.Writer)
	}
	return p
}

// deliver writes the report to the file of --output, or to standard output.
func deliver(c *cli.Context, all report.Report) error {
	format := c.String("format")
	switch {
	case c.IsSet("output"):
		if err := all.Save(c.String("output"), format); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	case format != "pretty": // else it was printed as the results came
		return all.Write(c.App.Writer, format)
	}
	return nil
}

// archive writes the artifacts beside the journals that are kept, and the report in every format: first,
// as the disk may be full. If there are none, it removes the folder, unless it existed before.
func (s *series) archive(all report.Report) error {
	kept := slices.DeleteFunc(s.kept, func(k *kept) bool { return k == nil })
	if len(kept) == 0 {
		if s.made {
			_ = os.Remove(s.base) // it may be gone, or not empty
		}
		return nil
	}
	failed := &incomplete{folder: s.base}
	failed.add("the reports", all.SaveAll(s.base))
	for _, k := range kept {
		k.write(failed)
	}
	return failed.err()
}

// outcome returns the program's error: errs and how many checks, or runs, have failed. If a
// guest has panicked, it has the status for that; in a report of one run it is that panic. A panic
// that has not ended a VM has the same status.
func outcome(all report.Report, errs *multierror.Error, base string) error {
	panicked := false
	for _, err := range errs.WrappedErrors() {
		if cause := (*guest.Error)(nil); errors.As(err, &cause) && cause.Panic() {
			if !all.Several() {
				return cmdline.Status(cmdline.StatusPanic, cause)
			}
			panicked = true
		}
	}
	switch failed := all.Failed(); {
	case all.Interrupted:
		errs = multierror.Append(errs, interrupted(all, base))
	case failed > 0 && all.Several():
		errs = multierror.Append(errs, fmt.Errorf("%d of %d runs failed", failed, len(all.Runs)))
	case failed > 0:
		errs = multierror.Append(errs, failures(all.Runs[0]))
	}
	for _, run := range all.Runs {
		panicked = panicked || run.Kernel != nil && run.Kernel.Panicked()
	}
	if panicked {
		return cmdline.Status(cmdline.StatusPanic, errs.ErrorOrNil())
	}
	return errs.ErrorOrNil()
}

// failures returns the error of a run with failed checks.
func failures(run report.Run) error {
	count := run.Count()
	if count.NotRun == 0 {
		return fmt.Errorf("%d of %d checks failed", count.Failed, len(run.Results))
	}
	were := "were"
	if count.NotRun == 1 {
		were = "was"
	}
	return fmt.Errorf("%d of %d checks failed, %d %s not run", count.Failed, len(run.Results), count.NotRun, were)
}

// interrupted returns the error of a test that the user has interrupted: what was not run, and
// the folder of the output.
func interrupted(all report.Report, base string) error {
	var count report.Count
	checks, kept := 0, ""
	for _, run := range all.Runs {
		count.NotRun += run.Count().NotRun
		checks += len(run.Results)
		if run.Kept != "" {
			kept = fmt.Sprintf(" (output: %s)", base)
		}
	}
	where := ""
	if all.Several() {
		where = fmt.Sprintf(" after the start of %d of %d runs", len(all.Runs), len(all.Machines)*all.Repeat)
	}
	if count.NotRun == 0 && !all.Several() {
		return fmt.Errorf("interrupted after the last check%s", kept)
	}
	return fmt.Errorf("interrupted%s: %d of %d checks were not run%s", where, count.NotRun, checks, kept)
}
