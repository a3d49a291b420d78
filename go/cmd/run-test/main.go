// Command run-test starts a microVM, tests its consoles and shuts it down.
package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/consoletest"
	"microvm-console/internal/report"
	"microvm-console/internal/vmconfig"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "run-test",
		Usage:     "start a microVM, test its consoles, and shut it down",
		ArgsUsage: "[FILE...]",
		Description: `The VM gets a name of its own, and free ports if those of its vm.json are in use, so that a
test can run beside a VM of the same vm.json. It changes no disk: an image, or a disk with a
path, is a snapshot, and the VM's own disks are new ones, which are removed. It changes no
share: all are read-only. The guest computes every answer that is checked. The checks of
vm.json, its field checks, follow once root has logged in on each console. On a console
with "login": false, checks that need a shell are skipped.

Each FILE is a vm.json, tested instead of that of --config. A file that is wrong is reported
before any VM starts. With several files, or --jobs, each line begins with the VM and its run,
and the report has the runs in the order of the files. A check that has failed in some runs
of a VM, and not in others, is named as flaky.

With --run or --declared, the steps that the chosen checks need (the start, the logins) run
too, and are reported only if they fail.

The last check is the verdict on the kernel's log of the whole boot. It is clean, broken (the
kernel has reported an event that the field kernelLog does not allow), or unknown (bytes are
missing, or there are none). It is always given; with --run, it is reported if it fails.

A VM that ends is one failure, and so is a guest that restarts, unless its kernel has announced
it; checks that cannot run any more are reported as not run.
After a failed check, the last lines of each console and QEMU's command line are shown, and
everything that the consoles printed is kept, with the report in each format, in a folder
that is printed, or in that of --artifacts.

--timeline draws the run: the milestones of the boot, what each console printed over time, the
events of the kernel's log, and the checks. --artifacts has the picture too.

Ctrl-C stops all VMs, and reports the current checks and those after them as not run.`,
		Metadata: manual().Metadata(),
		Flags: append(cmdline.MachineFlags(),
			cmdline.TimeoutFlag(2*time.Minute, "limit each check to `TIME`"),
			&cli.StringFlag{Name: "run", Usage: "run only the checks whose names match `REGEXP`"},
			&cli.BoolFlag{Name: "declared", Usage: "run only the checks that vm.json declares"},
			&cli.BoolFlag{Name: "list", Usage: "print the names of the checks, and exit"},
			&cli.IntFlag{Name: "lines", Usage: "make the guest print `N` numbered lines on each console (with exactness in vm.json: 100000, and 20000 on a virtio console)"},
			&cli.IntFlag{Name: "repeat", Value: 1, Usage: "test each VM `N` times, and print statistics"},
			&cli.IntFlag{Name: "jobs", Value: 1, Usage: "run at most `N` VMs at the same time"},
			&cli.StringFlag{Name: "format", Value: "pretty", Usage: "report in `FORMAT`: " + strings.Join(report.Formats(), ", ")},
			&cli.StringFlag{Name: "output", Usage: "write the report to `FILE`; the progress is still printed", TakesFile: true},
			&cli.BoolFlag{Name: "quiet", Usage: "print only failed checks and the totals"},
			&cli.BoolFlag{Name: "verbose", Usage: "also print why the accelerator was chosen"},
			&cli.BoolFlag{Name: "live", Usage: "print the lines of each console as they come"},
			&cli.StringFlag{Name: "artifacts", Usage: "keep the output of a failed test in `DIR`, a new or empty folder, instead of one in TMPDIR", TakesFile: true},
			&cli.StringFlag{Name: "timeline", Usage: "draw the run over time, as an SVG, to `FILE`", TakesFile: true},
			&cli.BoolFlag{Name: "keep", Usage: "keep the output and the report, even if all checks pass"},
		),
		Action: test,
	}
}

// manual returns the parts of the manual page that the flags do not have.
func manual() cmdline.Manual {
	return cmdline.Manual{
		Exit: []cmdline.Entry{
			{Term: "0", Text: "all checks passed"},
			{Term: "1", Text: "a check failed, or the test was interrupted"},
			{Term: "2", Text: "wrong usage or a wrong vm.json"},
			{Term: "4", Text: "the guest panicked"},
		},
		Files: []cmdline.Entry{
			{Term: "vm.json", Text: "the VM, and its own checks in the field checks"},
			{Term: "$TMPDIR/run-test-NAME-*/", Text: "the output of the consoles and the report of a failed test, or with --keep; or the folder of --artifacts"},
		},
		Examples: []cmdline.Entry{
			{Term: "run-test --config vm.json", Text: "Test a VM"},
			{Term: "run-test --config vm.json --format junit --output report.xml", Text: "Write a report for a CI server"},
			{Term: "run-test --config vm.json --declared --artifacts out", Text: "Run the VM's own checks, and keep the output of a failure in a folder"},
			{Term: "run-test --config vm.json --run boot --repeat 10", Text: "Run some of the checks ten times, and print statistics"},
			{Term: "run-test --jobs 2 --repeat 20 a.json b.json", Text: "Find flaky checks of two VMs: twenty runs of each, two at the same time"},
		},
		SeeAlso: []string{"microvm-run(1)", "console-log(1)"},
		Values:  map[string]cmdline.Values{"format": cmdline.OneOf(report.Formats()...)},
	}
}

func test(c *cli.Context) error {
	pattern, err := options(c)
	if err != nil {
		return err
	}
	subjects, err := subjects(c)
	if err != nil {
		return err
	}
	choose := func(checks []consoletest.Check) []consoletest.Check {
		return consoletest.Choose(checks, chosen(c, pattern))
	}
	listed := list{several: len(subjects) > 1}
	for _, one := range subjects {
		checks := choose(consoletest.NewSuite(one.given, nil, c.Int("lines")).Checks())
		switch {
		case checks == nil && c.Bool("declared") && len(one.given.Checks) == 0:
			return cmdline.Usage("declared: %s declares no checks (see its field checks)", one.file(c))
		case checks == nil:
			return cmdline.Usage("run: %q matches no check%s (see run-test --list)", c.String("run"), one.of(c))
		}
		listed.add(one, checks)
	}
	if c.Bool("list") {
		_, err := io.WriteString(c.App.Writer, listed.String())
		return err
	}
	return repeat(c, subjects, choose)
}

// chosen returns the function that reports whether a check is among those that --run, its
// pattern, and --declared select. A nil pattern matches every name.
func chosen(c *cli.Context, pattern *regexp.Regexp) func(consoletest.Check) bool {
	return func(check consoletest.Check) bool {
		return (check.Declared || !c.Bool("declared")) && (pattern == nil || pattern.MatchString(check.Name))
	}
}

// checkFiles checks the files of a machine that changes none.
func checkFiles(machine vmconfig.Machine) error {
	unchanged := machine.WithoutChanges()
	return multierror.Append(unchanged.CheckFiles(), unchanged.CheckDisks(), unchanged.CheckShares(), vmconfig.CheckAllowFile(machine)).ErrorOrNil()
}

// mostLines is how many numbered lines the journal of a console can keep beside the other
// output of the guest.
const mostLines = 1_000_000

// options checks the flags, and returns the pattern of --run; nil if it is not given.
func options(c *cli.Context) (*regexp.Regexp, error) {
	if _, err := cmdline.Timeout(c); err != nil {
		return nil, err
	}
	for _, flag := range []string{"repeat", "jobs"} {
		if n := c.Int(flag); n < 1 {
			return nil, cmdline.Usage("invalid %s %d: must be 1 or more", flag, n)
		}
	}
	if n := c.Int("lines"); c.IsSet("lines") && (n < 1 || n > mostLines) {
		return nil, cmdline.Usage("invalid lines %d: must be 1 to %d", n, mostLines)
	}
	if format := c.String("format"); !slices.Contains(report.Formats(), format) {
		return nil, cmdline.Usage("invalid format %q: must be one of %s", format, strings.Join(report.Formats(), ", "))
	}
	if c.Bool("quiet") && c.Bool("verbose") {
		return nil, cmdline.Usage("--quiet and --verbose exclude each other (use one of them)")
	}
	if err := checkPaths(c); err != nil {
		return nil, err
	}
	if !c.IsSet("run") {
		return nil, nil
	}
	pattern, err := regexp.Compile(c.String("run"))
	if err != nil {
		return nil, cmdline.Usage("run: invalid regular expression %q: %s", c.String("run"),
			strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return pattern, nil
}

// checkPaths checks the file of --output and the folder of --artifacts.
func checkPaths(c *cli.Context) error {
	if c.IsSet("output") {
		if err := report.CheckPath(c.String("output")); err != nil {
			return cmdline.Usage("output: %v", err)
		}
	}
	if c.IsSet("timeline") {
		if c.Int("repeat") > 1 || c.NArg() > 1 {
			return cmdline.Usage("timeline: a picture shows one run (leave it out; --artifacts has a picture of each run that it keeps)")
		}
		if err := report.CheckPath(c.String("timeline")); err != nil {
			return cmdline.Usage("timeline: %v", err)
		}
	}
	if c.IsSet("artifacts") {
		return checkFolder(c.String("artifacts"))
	}
	return nil
}

// list is the names of checks, a line each.
type list struct {
	strings.Builder
	several bool // each line has the machine's name too
}

// add adds the names of checks that are not quiet.
func (l *list) add(of subject, checks []consoletest.Check) {
	for _, check := range checks {
		switch {
		case check.Quiet:
		case l.several:
			fmt.Fprintf(l, "%s: %s\n", of.name, check.Name)
		default:
			fmt.Fprintln(l, check.Name)
		}
	}
}
