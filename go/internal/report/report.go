// Package report tells how the checks of a machine came out: to people while they
// are made, and to other programs, in TAP, JUnit's XML and JSON, in the end.
//
// Its promises: a report tells each check once, in the order in which they were
// made, with its result and its time. Whatever a guest has printed, a report is
// well-formed, and obeyed by no terminal: see package plaintext.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"microvm-console/internal/plaintext"
)

// Report is one or more runs of the same checks.
type Report struct {
	Machine string // the name in vm.json
	Version string // of the program
	// Repeated tells that there are statistics to be shown: more than one run was
	// asked for.
	Repeated bool
	// Interrupted tells that runs, or checks of the last one, were not made because
	// somebody wanted it all to end.
	Interrupted bool
	Runs        []Run
}

// Run is how all checks came out that were made of one start of the machine.
type Run struct {
	VM       string // the name that the machine was given for the run
	Started  time.Time
	Duration time.Duration
	// ToLogin is the time from QEMU's start to the first login prompt; 0: none came.
	ToLogin time.Duration
	Accel   string // "kvm", "tcg"; "" where it did not start
	Type    string // "q35", "microvm"; the same
	Results []Result

	// The rest helps to understand why the run has not passed.

	Command  string    // of QEMU, as a shell takes it; "" where it did not start
	Consoles []Console // what each has printed last
	Kept     string    // the folder of the journals; "": nothing was kept
}

// Result is how a check came out.
type Result struct {
	Name     string
	Duration time.Duration
	Err      error  // nil: it passed, was skipped, or was not run
	Skipped  string // why it cannot be made here; "": it can
	NotRun   string // why it was not made, or not to its end; "": it was
}

// Console is what a console has printed last.
type Console struct {
	Device string // "ttyS0"
	Bytes  int64  // printed in all
	Lines  []string
}

// Count is the number of results of each kind.
type Count struct{ Passed, Failed, Skipped, NotRun int }

// Count counts the results of a run.
func (r Run) Count() Count {
	var count Count
	for _, result := range r.Results {
		switch {
		case result.Err != nil:
			count.Failed++
		case result.Skipped != "":
			count.Skipped++
		case result.NotRun != "":
			count.NotRun++
		default:
			count.Passed++
		}
	}
	return count
}

// String is the count for people; what is skipped, or was not run, is told where
// there is some.
func (c Count) String() string {
	text := fmt.Sprintf("%d passed, %d failed", c.Passed, c.Failed)
	if c.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", c.Skipped)
	}
	if c.NotRun > 0 {
		text += fmt.Sprintf(", %d not run", c.NotRun)
	}
	return text
}

// Failed tells whether a check of the run has failed.
func (r Run) Failed() bool { return r.Count().Failed > 0 }

// Passed tells whether every check of the run was made, or skipped, and none failed.
func (r Run) Passed() bool {
	count := r.Count()
	return count.Failed == 0 && count.NotRun == 0
}

// Failed is the number of runs of which a check has failed.
func (r Report) Failed() int { return r.count(Run.Failed) }

// Passed is the number of runs that have passed.
func (r Report) Passed() int { return r.count(Run.Passed) }

// count is the number of runs that are so.
func (r Report) count(so func(Run) bool) int {
	count := 0
	for _, run := range r.Runs {
		if so(run) {
			count++
		}
	}
	return count
}

// name is that of a run's check among those of all runs.
func (r Report) name(run int, check string) string {
	if r.Repeated {
		return fmt.Sprintf("%s (run %d)", check, run+1)
	}
	return check
}

// details are the lines that help to understand why a run has not passed.
func (r Run) details() []string {
	var lines []string
	for _, console := range r.Consoles {
		lines = append(lines, fmt.Sprintf("--- the last lines of %s (%d bytes in all)", console.Device, console.Bytes))
		for _, line := range console.Lines {
			lines = append(lines, plaintext.Lines(line))
		}
	}
	if r.Command != "" {
		lines = append(lines, "--- QEMU was started with")
		lines = append(lines, strings.Split(plaintext.Lines(r.Command), "\n")...)
	}
	if r.Kept != "" {
		lines = append(lines, "--- all that the consoles have printed is kept in "+plaintext.Line(r.Kept))
	}
	return lines
}

// WriteDetails writes what helps to understand why the run has not passed.
func (r Run) WriteDetails(w io.Writer) error {
	_, err := io.WriteString(w, strings.Join(append(r.details(), "---"), "\n")+"\n")
	return err
}

// format is one way to write a report.
type format struct {
	name, file string
	write      func(Report, io.Writer) error
}

// formats in the order in which they are told.
var formats = []format{
	{"pretty", "report.txt", Report.writeText},
	{"tap", "report.tap", Report.writeTAP},
	{"junit", "report.xml", Report.writeJUnit},
	{"json", "report.json", Report.writeJSON},
}

// Formats are the names of the formats.
func Formats() []string {
	var names []string
	for _, format := range formats {
		names = append(names, format.name)
	}
	return names
}

// Write writes the report in one of Formats.
func (r Report) Write(w io.Writer, name string) error {
	at := slices.IndexFunc(formats, func(f format) bool { return f.name == name })
	return formats[at].write(r, w)
}
