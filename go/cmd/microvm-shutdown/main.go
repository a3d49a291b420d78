// Command microvm-shutdown stops a running microVM and says what worked.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
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
		Description: `Asks the guest's agent if it answers within half a second, then presses the ACPI power
button every 2 s, then sends QEMU the command quit, then SIGTERM, then SIGKILL. It prints
which stage worked, and why those before it did not. Each stage has its share of the
time limit, and passes on what it did not use: of 30 s, the agent has 12, the button 12,
and the others 2 each.

Only --force ends a QEMU process that was left behind when its microvm-run was killed: by
SIGTERM, then by SIGKILL.

--all stops all VMs of this user, and for root also system services, at the same time, and
prints a line for each.`,
		Metadata: cmdline.Manual{
			Exit: []cmdline.Entry{
				{Term: "0", Text: "the VM has ended; with --all: all of them"},
				{Term: "2", Text: "wrong usage"},
				{Term: "3", Text: "no such VM, or it is not running"},
				{Term: "5", Text: "a VM still runs"},
			},
			Files: []cmdline.Entry{cmdline.RuntimeFiles},
			Examples: []cmdline.Entry{
				{Term: "microvm-shutdown", Text: "Stop the only VM that runs"},
				{Term: "microvm-shutdown --all --timeout 10s", Text: "Stop all VMs within 10 seconds"},
				{Term: "microvm-shutdown --name demo --force", Text: "Stop the VM demo without asking its guest"},
			},
			SeeAlso: []string{"console-status(1)", "microvm-run(1)"},
		}.Metadata(),
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag(cmdline.OnlyVM),
			&cli.BoolFlag{Name: "all", Usage: "stop all VMs of this user"},
			cmdline.TimeoutFlag(ctl.DefaultTimeout, "limit the whole stop to `TIME`"),
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
	limit, err := cmdline.Timeout(c)
	request := ctl.StopRequest{Timeout: limit, Force: c.Bool("force")}
	switch {
	case err != nil:
		return err
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
	// The members of a group share a system service: each stops it by its name.
	machines = slices.DeleteFunc(machines, func(m rundir.Machine) bool { return m.IsService() && os.Getuid() != 0 })
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
	machine := rundir.Find(status.Name)
	limit, cancel := context.WithTimeout(ctx, request.Timeout+answerLimit)
	defer cancel()
	report, stopped, err := client.Stop(limit, request)
	switch {
	case err != nil:
		return "", err
	case !stopped:
		return "", cmdline.Status(cmdline.StatusTimeout, fmt.Errorf("vm %q: %v", status.Name, report))
	}
	awaitRelease(limit, machine)
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
