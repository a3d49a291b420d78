// Command microvm-shutdown stops a running microVM and says what worked.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/logs"
	"microvm-console/internal/rundir"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "microvm-shutdown",
		Usage: "stop a running microVM",
		Description: `Asks the guest's agent, if it answers within half a second; then presses the ACPI
power button, again every 2 s; then tells QEMU to quit, then sends it SIGTERM, then
SIGKILL; and says which one worked, and why those before it did not. Each has its
share of the time limit, and what one leaves is the next one's: of 30 s, the agent
has 12, the button 12, and the others 2 each.

A QEMU that was left behind, as the microvm-run that started it was killed, is ended
by --force alone: by SIGTERM, then by SIGKILL.

With --all, all VMs of this user at the same time, a line for each.

Exit status: 0 the VM has ended, or all have; 2 wrong usage; 3 no such VM, or it is
not running; 5 one still runs.`,
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag("`NAME` of the VM (default: the one in vm.json, or the only one that runs)"),
			&cli.BoolFlag{Name: "all", Usage: "stop every VM of this user"},
			&cli.DurationFlag{Name: "timeout", Value: ctl.DefaultTimeout, Usage: "bound the whole stop by `TIME`"},
			&cli.BoolFlag{Name: "force", Usage: "do not ask the guest: begin with quit"},
		},
		Action: shutdown,
	}
}

// answerLimit is how long the answer to a stop may take beyond the time limit of the stop.
const answerLimit = 10 * time.Second

func shutdown(c *cli.Context) error {
	if err := cmdline.NoArguments(c); err != nil {
		return err
	}
	request := ctl.StopRequest{Timeout: c.Duration("timeout"), Force: c.Bool("force")}
	switch {
	case request.Timeout <= 0:
		return cmdline.Usage("invalid timeout %v: must be positive, e.g. 30s", request.Timeout)
	case c.Bool("all") && c.IsSet("name"):
		return cmdline.Usage("--all and --name exclude each other (use one of them)")
	case c.Bool("all"):
		if _, err := cmdline.MachineName(c); err != nil {
			return err // a wrong --config is an error even if it is not used
		}
		return stopAll(c, request)
	}
	name, err := cmdline.MachineName(c)
	if err != nil {
		return err
	}
	line, err := stop(c.Context, name, request)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.App.Writer, line)
	return err
}

// stopAll stops all machines that run, at the same time.
func stopAll(c *cli.Context, request ctl.StopRequest) error {
	machines, err := rundir.Running()
	if err != nil {
		return err
	}
	if len(machines) == 0 {
		return cmdline.Status(cmdline.StatusNoVM, &ctl.NotRunningError{})
	}
	lines, errs := make([]string, len(machines)), make([]error, len(machines))
	var group sync.WaitGroup
	for i, machine := range machines {
		group.Go(func() { lines[i], errs[i] = stop(c.Context, machine.Name(), request) })
	}
	group.Wait()
	var failed *multierror.Error
	for i, line := range lines {
		switch {
		case errors.Is(errs[i], ctl.ErrNotRunning): // it has ended meanwhile
		case errs[i] != nil:
			failed = multierror.Append(failed, errs[i])
		default:
			fmt.Fprintln(c.App.Writer, line)
		}
	}
	return failed.ErrorOrNil()
}

// stop stops the machine called name, or the only one that runs if name is "". It returns a
// line that says how it ended.
func stop(ctx context.Context, name string, request ctl.StopRequest) (line string, err error) {
	client, status, err := ctl.Find(ctx, name)
	left := (*rundir.LeftError)(nil)
	switch {
	case errors.As(err, &left) && request.Force:
		return endLeftBehind(ctx, left, request.Timeout)
	case errors.Is(err, ctl.ErrSeveral):
		return "", cmdline.Status(cmdline.StatusUsage, fmt.Errorf("%w, or stop them with --all", err))
	case err != nil:
		return "", cmdline.Status(cmdline.StatusNoVM, logs.Explain(err))
	}
	limit, cancel := context.WithTimeout(ctx, request.Timeout+answerLimit)
	defer cancel()
	report, stopped, err := client.Stop(limit, request)
	switch {
	case err != nil:
		return "", err
	case !stopped:
		return "", cmdline.Status(cmdline.StatusTimeout, fmt.Errorf("vm %q: %v", status.Name, report))
	}
	awaitRelease(limit, rundir.Of(status.Name))
	return fmt.Sprintf("%s: %v", status.Name, report), nil
}

// releaseLimit is how long the owner of a machine that has ended may take to end: a little
// longer than its control socket takes to close.
const releaseLimit = 6 * time.Second

// awaitRelease waits until the owner has released the machine, so that the next command of a
// script can start it again.
func awaitRelease(ctx context.Context, machine rundir.Machine) {
	limit, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	awaitFree(limit, machine)
}

// awaitFree waits until no process holds the machine's lock, or ctx is done, and reports
// whether the machine is free. A lock that cannot be read counts as free.
func awaitFree(ctx context.Context, machine rundir.Machine) bool {
	for ctx.Err() == nil {
		if locked, err := machine.Locked(); err != nil || !locked {
			return true
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
	return false
}
