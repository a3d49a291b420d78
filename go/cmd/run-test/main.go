// Command run-test starts a microVM, tests its consoles and shuts it down.
package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/consoletest"
	"microvm-console/internal/report"
	"microvm-console/internal/vmconfig"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "run-test",
		Usage: "start a microVM, test its consoles, shut it down",
		Description: `The VM gets a name of its own and, where a port of its vm.json is taken, a free
one: a test runs beside a running VM of the same vm.json. Every answer that is
checked is computed by the guest. The checks of vm.json, its field checks, are made
once root has logged in on each console; a console with "login": false is one where
nobody can, and what needs a shell there is skipped.

With --run, what the chosen checks stand on (the start, logins) is done as well, and
is told only where it fails.

When a check has failed, the last lines of each console and QEMU's command line are
shown, and all that the consoles have printed is kept; the place is told.

Interrupted, by Ctrl-C, it stops the VM, and reports the checks that are left, and the
one under way, as not run.

Exit status: 0 all checks passed; 1 a check failed, or the test was interrupted;
2 wrong usage or a wrong vm.json; 4 the guest panicked.`,
		Flags: append(cmdline.MachineFlags(),
			&cli.DurationFlag{Name: "timeout", Value: 2 * time.Minute, Usage: "bound each check by `TIME`"},
			&cli.StringFlag{Name: "run", Usage: "make only the checks whose names match `REGEXP`"},
			&cli.BoolFlag{Name: "list", Usage: "print the names of the checks, and start nothing"},
			&cli.IntFlag{Name: "lines", Value: consoletest.DefaultLines, Usage: "have the guest print `N` numbered lines on each console"},
			&cli.IntFlag{Name: "repeat", Value: 1, Usage: "do it all `N` times, and show statistics"},
			&cli.StringFlag{Name: "format", Value: "pretty", Usage: "report in `FORMAT`: " + strings.Join(report.Formats(), ", ")},
			&cli.StringFlag{Name: "output", Usage: "write the report to `FILE`, and what pretty shows to standard output"},
			&cli.BoolFlag{Name: "quiet", Usage: "print failed checks and the totals only"},
			&cli.BoolFlag{Name: "verbose", Usage: "print also why the accelerator was chosen"},
			&cli.BoolFlag{Name: "keep", Usage: "keep the consoles' journals and the report, also when all checks pass"},
		),
		Action: test,
	}
}

func test(c *cli.Context) error {
	if err := cmdline.NoArguments(c); err != nil {
		return err
	}
	chosen, err := options(c)
	if err != nil {
		return err
	}
	rules := []func(vmconfig.Machine) error{consoletest.CheckNames}
	if !c.Bool("list") {
		rules = append(rules, vmconfig.Machine.CheckFiles)
	}
	machine, err := cmdline.Machine(c, rules...)
	if err != nil {
		return err
	}
	choose := func(checks []consoletest.Check) []consoletest.Check { return checks }
	if chosen != nil {
		choose = func(checks []consoletest.Check) []consoletest.Check { return consoletest.Choose(checks, chosen) }
	}
	checks := choose(consoletest.NewSuite(machine, nil, c.Int("lines")).Checks())
	switch {
	case checks == nil:
		return cmdline.Usage("run: %q matches no check (see run-test --list)", c.String("run"))
	case c.Bool("list"):
		return list(c, checks)
	}
	return repeat(c, machine, choose)
}

// mostLines is how many numbered lines the journal of a console can keep beside the other
// output of the guest.
const mostLines = 1_000_000

// options checks the flags, and returns the pattern of --run; nil if it is not given.
func options(c *cli.Context) (*regexp.Regexp, error) {
	if c.Duration("timeout") <= 0 {
		return nil, cmdline.Usage("invalid timeout %v: must be positive, e.g. 30s", c.Duration("timeout"))
	}
	if n := c.Int("repeat"); n < 1 {
		return nil, cmdline.Usage("invalid repeat %d: must be 1 or more", n)
	}
	if n := c.Int("lines"); n < 1 || n > mostLines {
		return nil, cmdline.Usage("invalid lines %d: must be 1 to %d", n, mostLines)
	}
	if format := c.String("format"); !slices.Contains(report.Formats(), format) {
		return nil, cmdline.Usage("invalid format %q: must be one of %s", format, strings.Join(report.Formats(), ", "))
	}
	if c.Bool("quiet") && c.Bool("verbose") {
		return nil, cmdline.Usage("--quiet and --verbose: give one of them")
	}
	if c.IsSet("output") {
		if err := report.CheckPath(c.String("output")); err != nil {
			return nil, cmdline.Usage("output: %v", err)
		}
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

// list prints the names of checks that are not quiet.
func list(c *cli.Context, checks []consoletest.Check) error {
	for _, check := range checks {
		if check.Quiet {
			continue
		}
		if _, err := fmt.Fprintln(c.App.Writer, check.Name); err != nil {
			return err
		}
	}
	return nil
}

// testName returns a machine name that no other test has.
func testName(name string, pid int) string {
	suffix := fmt.Sprintf("-test-%d", pid)
	return name[:min(len(name), vmconfig.MaxName-len(suffix))] + suffix
}
