package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/consoletest"
	"microvm-console/internal/report"
)

// series is all runs of all machines.
type series struct {
	c      *cli.Context
	choose func([]consoletest.Check) []consoletest.Check
	report report.Report
	base   string  // the folder of the folders of the runs
	made   bool    // base did not exist before
	beside bool    // several VMs run at the same time
	kept   []*kept // by job; nil if nothing is kept of it

	out, errout io.Writer // each call of Write is one text among those of other runs
}

// job is one run of a machine.
type job struct {
	subject subject
	number  int // among the runs of the machine, from 1
	index   int // among all runs, from 0
}

// runAll runs all jobs, and adds their results to the report in the order of the jobs. After an
// interruption no further job starts. The error is those of the jobs.
func (s *series) runAll(subjects []subject) *multierror.Error {
	var jobs []job
	for _, one := range subjects {
		for i := range s.report.Repeat {
			jobs = append(jobs, job{one, i + 1, len(jobs)})
		}
	}
	s.kept = make([]*kept, len(jobs))
	runs, errs := make([]*report.Run, len(jobs)), make([]error, len(jobs))
	var group errgroup.Group
	group.SetLimit(s.c.Int("jobs"))
	for i, j := range jobs {
		group.Go(func() error { // blocks while so many jobs run
			if i == 0 || s.c.Err() == nil { // the report has only runs that have started
				runs[i], errs[i] = s.run(j)
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	for _, run := range runs {
		if run != nil {
			s.report.Runs = append(s.report.Runs, *run)
		}
	}
	return multierror.Append(nil, errs...)
}

// run runs one job. The error has the title of the run, if there are several.
func (s *series) run(j job) (*report.Run, error) {
	title := s.report.Title(j.subject.name, j.number)
	t := &tester{
		machine: j.subject.machine(s.c, j.index+1, s.report.Several(), s.beside), choose: s.choose, limit: s.c.Duration("timeout"), lines: s.c.Int("lines"),
		quiet: s.c.Bool("quiet"), verbose: s.c.Bool("verbose"), pretty: pretty(s.c, s.out),
	}
	if s.prefixed() {
		t.pretty.Prefix, t.pretty.Columns = title+" | ", 0
	} else {
		t.pretty.Begin(s.report, j.subject.name, j.number)
	}
	t.live = liveLines(s.c, t.pretty, s.errout)
	folder := s.folder(j)
	run, ended := t.run(s.c.Context, folder)
	run.Machine, run.Number = j.subject.name, j.number
	output := kept{folder, j.subject.given, t.command, run}
	drawErr := drawTo(s.c, output)
	keepErr := s.keep(j, output, &run)
	return &run, titled(title, multierror.Append(drawErr, keepErr, s.show(title, run), ended))
}

// prefixed reports whether the lines of a run begin with its title, since lines of other VMs are beside them.
func (s *series) prefixed() bool { return s.beside || len(s.report.Machines) > 1 }

// titled returns errs, each with the title of its run, if there are several.
func titled(title string, errs *multierror.Error) error {
	if title != "" {
		for i, err := range errs.Errors {
			errs.Errors[i] = fmt.Errorf("%s: %w", title, err)
		}
	}
	return errs.ErrorOrNil()
}

// folder returns the folder of the journals of a run.
func (s *series) folder(j job) string {
	name := fmt.Sprintf("run-%d", j.number)
	switch {
	case !s.report.Several():
		return s.base
	case len(s.report.Machines) > 1:
		name = j.subject.name + "-" + name
	}
	return filepath.Join(s.base, name)
}

// show prints the details of a run that has failed, or where its journals are.
func (s *series) show(title string, run report.Run) error {
	var text strings.Builder
	if s.prefixed() {
		fmt.Fprintf(&text, "--- %s\n", title)
	}
	switch {
	case run.Failed() && s.c.Err() == nil:
		_ = run.WriteDetails(&text) // to a string
	case run.Kept != "" && s.c.Err() == nil:
		text.Reset()
		fmt.Fprintf(&text, "run-test: %s\n", run.WhereKept())
	default:
		return nil
	}
	_, err := io.WriteString(s.errout, text.String())
	return err
}

// lockedWriter writes to w, in one call at a time.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(data)
}
