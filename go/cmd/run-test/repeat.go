package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/color"
	"microvm-console/internal/consoletest"
	"microvm-console/internal/display"
	"microvm-console/internal/guest"
	"microvm-console/internal/report"
	"microvm-console/internal/vmconfig"
)

// repeat tests the machine as often as --repeat says, and reports the results.
func repeat(c *cli.Context, machine vmconfig.Machine, choose func([]consoletest.Check) []consoletest.Check) error {
	all := report.Report{Machine: machine.Name, Version: cmdline.Version, Repeated: c.Int("repeat") > 1}
	base, err := makeFolder(c, machine.Name)
	if err != nil {
		return err
	}
	given := machine
	if !c.IsSet("name") {
		machine.Name = testName(machine.Name, os.Getpid())
	}
	t := &tester{
		machine: machine, choose: choose, limit: c.Duration("timeout"), lines: c.Int("lines"),
		quiet: c.Bool("quiet"), verbose: c.Bool("verbose"), pretty: pretty(c),
	}
	t.live = liveLines(c, t.pretty)
	var errs *multierror.Error
	for i := range c.Int("repeat") {
		if i > 0 && c.Err() != nil {
			break // the report has only runs that have started
		}
		folder := base
		if all.Repeated {
			folder = filepath.Join(base, fmt.Sprintf("run-%d", i+1))
			t.pretty.Begin(i, c.Int("repeat"))
		}
		run, ended := t.run(c.Context, folder)
		errs = multierror.Append(errs, keep(c, kept{folder, given, t.command, run}, &run), show(c, run), ended)
		all.Runs = append(all.Runs, run)
	}
	all.Interrupted = c.Err() != nil
	if all.Repeated {
		errs = multierror.Append(errs, t.pretty.Statistics(all))
	}
	errs = multierror.Append(errs, deliver(c, all), archive(all, base))
	return outcome(all, errs)
}

// prints reports whether the results are printed as they come: unless the report goes to
// standard output.
func prints(c *cli.Context) bool { return c.String("format") == "pretty" || c.IsSet("output") }

// pretty returns the Pretty that prints the results as they come. It prints nothing if the
// report goes to standard output.
func pretty(c *cli.Context) *report.Pretty {
	if !prints(c) {
		return &report.Pretty{W: io.Discard}
	}
	p := &report.Pretty{W: c.App.Writer, Palette: color.Of(c.App.Writer)}
	p.Hide = func(result report.Result) bool {
		// After an interruption the totals say how many checks were not run.
		return result.NotRun != "" && c.Err() != nil || c.Bool("quiet") && result.Err == nil
	}
	if !c.Bool("quiet") {
		p.Columns = display.Width(c.App.Writer)
	}
	return p
}

// show prints the details of a run that has failed, or where its journals are.
func show(c *cli.Context, run report.Run) error {
	switch {
	case run.Failed() && c.Err() == nil:
		return run.WriteDetails(c.App.ErrWriter)
	case run.Kept != "" && c.Err() == nil:
		_, err := fmt.Fprintf(c.App.ErrWriter, "run-test: the whole output of the consoles is in %s\n", run.Kept)
		return err
	}
	return nil
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

// archive writes the report, in every format, beside the journals that are kept. It removes the
// folder if there are none.
func archive(all report.Report, base string) error {
	for _, run := range all.Runs {
		if run.Kept != "" {
			return all.SaveAll(base)
		}
	}
	if err := os.Remove(base); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// outcome returns the program's error: errs and how many checks, or runs, have failed. If a
// guest has panicked, it is that panic, with its exit status. A panic that has not ended a VM
// has the same status.
func outcome(all report.Report, errs *multierror.Error) error {
	var cause *guest.Error
	for _, err := range errs.WrappedErrors() {
		if errors.As(err, &cause) && cause.Panic() {
			return cmdline.Status(cmdline.StatusPanic, cause)
		}
	}
	switch failed := all.Failed(); {
	case all.Interrupted:
		errs = multierror.Append(errs, interrupted(all))
	case failed > 0 && all.Repeated:
		errs = multierror.Append(errs, fmt.Errorf("%d of %d runs failed", failed, len(all.Runs)))
	case failed > 0:
		errs = multierror.Append(errs, failures(all.Runs[0]))
	}
	for _, run := range all.Runs {
		if run.Kernel != nil && run.Kernel.Panicked() {
			return cmdline.Status(cmdline.StatusPanic, errs.ErrorOrNil())
		}
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
func interrupted(all report.Report) error {
	last := all.Runs[len(all.Runs)-1]
	where := ""
	if all.Repeated {
		where = fmt.Sprintf(" in run %d", len(all.Runs))
	}
	kept := ""
	if last.Kept != "" {
		kept = fmt.Sprintf(" (output: %s)", last.Kept)
	}
	if last.Passed() {
		return fmt.Errorf("interrupted%s after the last check%s", where, kept)
	}
	return fmt.Errorf("interrupted%s: %d of %d checks were not run%s", where, last.Count().NotRun, len(last.Results), kept)
}
