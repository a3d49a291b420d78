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
	"microvm-console/internal/consoletest"
	"microvm-console/internal/guest"
	"microvm-console/internal/report"
	"microvm-console/internal/vmconfig"
)

// repeat tests the machine as often as is wanted, and reports.
func repeat(c *cli.Context, machine vmconfig.Machine, choose func([]consoletest.Check) []consoletest.Check) error {
	all := report.Report{Machine: machine.Name, Version: cmdline.Version, Repeated: c.Int("repeat") > 1}
	base, err := os.MkdirTemp("", "run-test-"+machine.Name+"-")
	if err != nil {
		return fmt.Errorf("journals: %w (set TMPDIR)", err)
	}
	if !c.IsSet("name") {
		machine.Name = testName(machine.Name, os.Getpid())
	}
	t := &tester{machine: machine, choose: choose, limit: c.Duration("timeout"), lines: c.Int("lines"), pretty: pretty(c)}
	var errs *multierror.Error
	for i := range c.Int("repeat") {
		if i > 0 && c.Err() != nil {
			break // each run that was begun is told
		}
		folder := base
		if all.Repeated {
			folder = filepath.Join(base, fmt.Sprintf("run-%d", i+1))
			t.pretty.Begin(i, c.Int("repeat"))
		}
		run, ended := t.run(c.Context, folder)
		errs = multierror.Append(errs, kept(c, &run, folder), show(c, run), ended)
		all.Runs = append(all.Runs, run)
	}
	all.Interrupted = c.Err() != nil
	if all.Repeated {
		errs = multierror.Append(errs, t.pretty.Statistics(all))
	}
	errs = multierror.Append(errs, deliver(c, all), archive(all, base))
	return verdict(all, errs)
}

// pretty is what people see meanwhile: nothing where the report itself goes to
// standard output.
func pretty(c *cli.Context) report.Pretty {
	if c.String("format") != "pretty" && !c.IsSet("output") {
		return report.Pretty{W: io.Discard}
	}
	return report.Pretty{W: c.App.Writer, Colour: cmdline.Colour(c.App.Writer), Animate: cmdline.IsTerminal(c.App.Writer)}
}

// show shows people what helps to understand a failure, and what was kept.
func show(c *cli.Context, run report.Run) error {
	switch {
	case !run.Passed():
		return run.WriteDetails(c.App.ErrWriter)
	case run.Kept != "":
		_, err := fmt.Fprintf(c.App.ErrWriter, "run-test: all that the consoles have printed is kept in %s\n", run.Kept)
		return err
	}
	return nil
}

// deliver writes the report to where it was asked for.
func deliver(c *cli.Context, all report.Report) error {
	format := c.String("format")
	switch {
	case c.IsSet("output"):
		if err := all.Save(c.String("output"), format); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	case format != "pretty": // which was shown already
		return all.Write(c.App.Writer, format)
	}
	return nil
}

// archive puts the report, in every format, beside the journals that are kept, and
// removes the folder where none are.
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

// verdict is the program's error: errs, how the runs ended among them, and how much
// has failed. A guest that panicked, in whichever run, gives its own status.
func verdict(all report.Report, errs *multierror.Error) error {
	var cause *guest.Error
	for _, err := range errs.WrappedErrors() {
		if errors.As(err, &cause) && cause.Panic() {
			return cmdline.Status(cmdline.StatusPanic, cause)
		}
	}
	if all.Interrupted {
		errs = multierror.Append(errs, interrupted(all))
	}
	switch failed := all.Failed(); {
	case failed > 0 && all.Repeated:
		errs = multierror.Append(errs, fmt.Errorf("%d of %d runs failed (each is told above)", failed, len(all.Runs)))
	case failed > 0:
		run := all.Runs[0]
		errs = multierror.Append(errs, fmt.Errorf("%d of %d checks failed (each is told above)", run.Count().Failed, len(run.Results)))
	}
	return errs.ErrorOrNil()
}

// interrupted tells what is missing of a test that somebody has interrupted.
func interrupted(all report.Report) error {
	last := all.Runs[len(all.Runs)-1]
	where := ""
	if all.Repeated {
		where = fmt.Sprintf(" in run %d", len(all.Runs))
	}
	if last.Passed() {
		return fmt.Errorf("interrupted%s, behind its last check", where)
	}
	return fmt.Errorf("interrupted%s: %d of %d checks were not run", where, last.Count().NotRun, len(last.Results))
}
