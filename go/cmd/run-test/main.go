// Command run-test starts a microVM, tests its consoles and shuts it down.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/consoletest"
	"microvm-console/internal/rundir"
	"microvm-console/internal/spec"
	"microvm-console/internal/vm"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "run-test",
		Usage: "start a microVM, test its consoles, shut it down",
		Description: `The VM gets a name of its own and, where a port of its vm.json is taken, a free
one: a test runs beside a running VM of the same vm.json. Every answer that is
checked is computed by the guest.

Exit status: 0 all checks passed; 1 a check failed; 2 wrong usage or a wrong
vm.json; 4 the guest panicked.`,
		Flags: append(cmdline.MachineFlags(),
			&cli.DurationFlag{Name: "timeout", Value: 2 * time.Minute, Usage: "bound each check by `TIME`"},
		),
		Action: test,
	}
}

func test(c *cli.Context) error {
	if err := cmdline.NoArguments(c); err != nil {
		return err
	}
	if c.Duration("timeout") <= 0 {
		return cmdline.Usage("timeout: %v is no time limit (as 60s)", c.Duration("timeout"))
	}
	machine, err := cmdline.Machine(c)
	if err != nil {
		return err
	}
	if !c.IsSet("name") {
		machine.Name = testName(machine.Name)
	}
	return run(c, machine)
}

// testName is a machine name that no other test has.
func testName(name string) string {
	suffix := fmt.Sprintf("-test-%d", os.Getpid())
	return name[:min(len(name), spec.MaxName-len(suffix))] + suffix
}

// errOver is why checks are not run once the VM has ended.
var errOver = errors.New("the VM has ended")

// run runs the VM and the checks side by side.
func run(c *cli.Context, machine spec.Machine) error {
	v := vm.New(machine, vm.Options{
		AutoPorts: true,
		// What a test printed goes with it.
		JournalDir: func(console string) (string, error) {
			return filepath.Join(rundir.Of(machine.Name).Console(console), "journal"), nil
		},
		Log: func(line string) { fmt.Fprintf(c.App.Writer, "%s: %s\n", machine.Name, line) },
	})
	checking, over := context.WithCancelCause(c.Context)
	var group errgroup.Group
	group.Go(func() error {
		err := v.Run(c.Context)
		over(fmt.Errorf("%w: %w", errOver, cmp.Or(err, errors.New("nobody asked for it"))))
		return err
	})
	report := check(checking, c, machine, v)
	// After a clean shutdown there is nothing left to stop.
	if _, err := v.Stop(context.WithoutCancel(c.Context), stopNow); err != nil {
		return err
	}
	return verdict(c, v, report, group.Wait())
}

// check runs all checks and shows them.
func check(ctx context.Context, c *cli.Context, machine spec.Machine, v *vm.VM) consoletest.Report {
	suite := consoletest.NewSuite(machine, v)
	defer suite.Close()
	pretty := consoletest.Pretty{
		W:       c.App.Writer,
		Colour:  cmdline.Colour(c.App.Writer),
		Animate: cmdline.IsTerminal(c.App.Writer),
	}
	report := consoletest.Run(ctx, suite.Checks(), c.Duration("timeout"), pretty.Progress)
	pretty.Close(report)
	return report
}
