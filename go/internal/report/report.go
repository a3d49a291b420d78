// Package report writes the results of the checks of a machine: for people while the checks
// run, and for other programs, in TAP, JUnit's XML and JSON, at the end.
//
// Invariants: a report has each check once, in the order in which they ran, with its result
// and its duration. Whatever a guest has printed, a report is well-formed and has no control
// characters; see package plaintext.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"microvm-console/internal/color"
	"microvm-console/internal/plaintext"
	"microvm-console/internal/verdict"
)

// Report is one or more runs of one or more machines.
type Report struct {
	Machines []string // the names in vm.json, each different
	Version  string   // of the program
	// Repeat is how many runs of each machine were requested.
	Repeat int
	// Interrupted is set if the user ended the test before its last check.
	Interrupted bool
	// Runs are those of the first machine, then those of the next one.
	Runs []Run
}

// Run is one start of the machine with all its checks.
type Run struct {
	Machine  string // one of Report.Machines
	Number   int    // among the runs of its machine, from 1
	VM       string // the machine's name in this run
	Started  time.Time
	Duration time.Duration // from Started until the machine has ended
	// ToLogin is the time from QEMU's start to the first login prompt; 0 if there was none.
	ToLogin time.Duration
	Accel   string // "kvm" or "tcg"; "" if QEMU did not start
	Type    string // "q35" or "microvm"; "" if QEMU did not start
	// Restarts is how often the guest has restarted.
	Restarts int
	Results  []Result
	Kernel   *verdict.Result // on the kernel's log; nil if QEMU did not start

	// The details of a run that has not passed.

	Command  string    // QEMU's command line, for a shell; "" if QEMU did not start
	Consoles []Console // the last lines of each console
	Kept     string    // the folder of the journals; "" if they were removed
}

// Result is the result of one check: it has failed, was skipped or was not run if the field
// of that name is set, and else it has passed.
type Result struct {
	Name     string
	Started  time.Time // zero if it has not run
	Duration time.Duration
	Err      error  // why it has failed
	Skipped  string // why this machine cannot have the check
	NotRun   string // why it has not run, or was interrupted
	// Test is set if it is the result of a test that the check before it has reported.
	Test bool
	// Summary says more about a check that has passed, for people.
	Summary string
}

// Console is the end of a console's output.
type Console struct {
	Device string // "ttyS0"
	Bytes  int64  // all that it had printed
	Lines  []string
	// Until is when this was the end: a clause such as `"login on ttyS0" failed`; "" is the end
	// of the run.
	Until string
}

// Count is the number of results of each kind.
type Count struct{ Passed, Failed, Skipped, NotRun int }

// Count returns the number of results of each kind.
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

// text returns the count for people. It has the skipped checks, and those not run, only if
// there are any.
func (c Count) text(palette color.Palette) string {
	failed := fmt.Sprintf("%d failed", c.Failed)
	if c.Failed > 0 {
		failed = palette.Red(failed)
	}
	text := fmt.Sprintf("%d passed, %s", c.Passed, failed)
	if c.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", c.Skipped)
	}
	if c.NotRun > 0 {
		text += palette.Yellow(fmt.Sprintf(", %d not run", c.NotRun))
	}
	return text
}

// Failed reports whether a check of the run has failed.
func (r Run) Failed() bool { return r.Count().Failed > 0 }

// Passed reports whether each check of the run has passed or was skipped.
func (r Run) Passed() bool {
	count := r.Count()
	return count.Failed == 0 && count.NotRun == 0
}

// Failed returns the number of runs that have failed.
func (r Report) Failed() int { return r.count(Run.Failed) }

// Passed returns the number of runs that have passed.
func (r Report) Passed() int { return r.count(Run.Passed) }

// count returns the number of runs for which is returns true.
func (r Report) count(is func(Run) bool) int {
	count := 0
	for _, run := range r.Runs {
		if is(run) {
			count++
		}
	}
	return count
}

// Several reports whether more than one run was requested: the report then has statistics.
func (r Report) Several() bool { return len(r.Machines)*r.Repeat > 1 }

// machine returns what precedes the names of a machine's checks: its name if there are several
// machines.
func (r Report) machine(name string) string {
	if len(r.Machines) > 1 {
		return name + ": "
	}
	return ""
}

// numbered returns a name with the number of the run if its machine has several.
func (r Report) numbered(name string, run Run) string {
	if r.Repeat > 1 {
		return fmt.Sprintf("%s (run %d)", name, run.Number)
	}
	return name
}

// Title returns what distinguishes a run from the others: "demo", "run 2" or "demo run 2"; ""
// if there is one.
func (r Report) Title(machine string, number int) string {
	var words []string
	if len(r.Machines) > 1 {
		words = append(words, machine)
	}
	if r.Repeat > 1 {
		words = append(words, fmt.Sprintf("run %d", number))
	}
	return strings.Join(words, " ")
}

// NameKernel is the name of the check of the kernel's log.
const NameKernel = "the kernel's log is clean"

// notes returns a line for each event of the kernel's log that fails nothing, and each gap.
func (r Run) notes() []string {
	var lines []string
	if r.Kernel != nil {
		for _, line := range r.Kernel.Notes() {
			lines = append(lines, plaintext.Line(line))
		}
	}
	return lines
}

// details returns the lines that help to understand why a run has not passed.
func (r Run) details() []string {
	var lines []string
	for i, console := range r.Consoles {
		lines = append(lines, console.heading())
		for _, line := range withoutRepeats(console.Lines, r.Consoles[:i]) {
			lines = append(lines, plaintext.Lines(line))
		}
	}
	if r.Command != "" {
		lines = append(lines, "--- QEMU was started with")
		lines = append(lines, strings.Split(plaintext.Lines(r.Command), "\n")...)
	}
	if r.Kept != "" {
		lines = append(lines, "--- "+r.WhereKept())
	}
	return lines
}

// WhereKept returns the line that names the folder Kept, for people.
func (r Run) WhereKept() string {
	what := "the whole output of the consoles"
	if r.Kernel != nil && len(r.Kernel.Gaps)+len(r.Kernel.Covered) > 0 {
		what = "the output of the consoles, of which bytes are missing,"
	}
	return what + " is in " + plaintext.Line(r.Kept)
}

// fewestRepeats is how many lines in a row are left out if another console has them.
const fewestRepeats = 3

// withoutRepeats returns lines with one line in place of each row of lines that an earlier console
// has too: the kernel prints to several consoles.
func withoutRepeats(lines []string, earlier []Console) []string {
	for _, console := range earlier {
		var left []string
		for i := 0; i < len(lines); {
			n := repeats(lines[i:], console.Lines)
			if n < fewestRepeats {
				left = append(left, lines[i])
				i++
				continue
			}
			left = append(left, fmt.Sprintf("… %d lines that are also on %s", n, console.Device))
			i += n
		}
		lines = left
	}
	return lines
}

// repeats returns with how many of its first lines a text is in another one, in a row.
func repeats(lines, other []string) int {
	most := 0
	for at := range other {
		n := 0
		for n < len(lines) && at+n < len(other) && lines[n] == other[at+n] {
			n++
		}
		most = max(most, n)
	}
	return most
}

// heading returns the line above the console's lines.
func (c Console) heading() string {
	if c.Until == "" {
		return fmt.Sprintf("--- the last lines of %s (%d bytes in all)", c.Device, c.Bytes)
	}
	return fmt.Sprintf("--- the last lines of %s until %s (%d bytes)", c.Device, plaintext.Line(c.Until), c.Bytes)
}

// WriteDetails writes the last lines of each console, QEMU's command line, and where the
// journals are.
func (r Run) WriteDetails(w io.Writer) error {
	_, err := io.WriteString(w, strings.Join(append(r.details(), "---"), "\n")+"\n")
	return err
}

// format is a format of a report, and the file for it beside the journals.
type format struct {
	name, file string
	write      func(Report, io.Writer) error
}

// formats are in the order of --help.
var formats = []format{
	{"pretty", "report.txt", Report.writeText},
	{"tap", "report.tap", Report.writeTAP},
	{"junit", "report.xml", Report.writeJUnit},
	{"json", "report.json", Report.writeJSON},
}

// Formats returns the names of the formats.
func Formats() []string {
	var names []string
	for _, format := range formats {
		names = append(names, format.name)
	}
	return names
}

// Write writes the report in the format called name, one of Formats.
func (r Report) Write(w io.Writer, name string) error {
	at := slices.IndexFunc(formats, func(f format) bool { return f.name == name })
	return formats[at].write(r, w)
}
