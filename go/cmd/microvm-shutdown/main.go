// Command microvm-shutdown stops a running microVM and says what worked.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "microvm-shutdown",
		Usage: "stop a running microVM",
		Description: `Presses the ACPI power button, again every 2 s, then tells QEMU to quit, then
sends it SIGTERM, then SIGKILL, and says which one worked.

Exit status: 0 the VM has ended; 2 wrong usage; 3 no such VM, or it is not
running; 5 it still runs.`,
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag("`NAME` of the VM (default: the one in vm.json, or the only one that runs)"),
			&cli.DurationFlag{Name: "timeout", Value: ctl.DefaultTimeout, Usage: "bound the whole stop by `TIME`"},
			&cli.BoolFlag{Name: "force", Usage: "do not ask the guest: begin with quit"},
		},
		Action: shutdown,
	}
}

// answerLimit is what a stop may take beyond its own time limit.
const answerLimit = 10 * time.Second

func shutdown(c *cli.Context) error {
	if err := cmdline.NoArguments(c); err != nil {
		return err
	}
	request := ctl.StopRequest{Timeout: c.Duration("timeout"), Force: c.Bool("force")}
	if request.Timeout <= 0 {
		return cmdline.Usage("timeout: %v is no time limit (as 30s)", request.Timeout)
	}
	name, err := cmdline.MachineName(c)
	if err != nil {
		return err
	}
	client, status, err := ctl.Find(c.Context, name)
	switch {
	case errors.Is(err, ctl.ErrSeveral):
		return cmdline.Status(cmdline.StatusUsage, err)
	case err != nil:
		return cmdline.Status(cmdline.StatusNoVM, err)
	}
	limit, cancel := context.WithTimeout(c.Context, request.Timeout+answerLimit)
	defer cancel()
	report, stopped, err := client.Stop(limit, request)
	if err != nil {
		return err
	}
	if stopped {
		awaitRelease(limit, rundir.Of(status.Name))
	}
	return tell(c, status.Name, report, stopped)
}

// releaseLimit is how long the owner of a machine that has ended may take to
// go: a little more than its control socket takes to close.
const releaseLimit = 6 * time.Second

// awaitRelease waits until the owner has given the machine up: what comes next
// in a script may start it again.
func awaitRelease(ctx context.Context, machine rundir.Machine) {
	limit, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	for limit.Err() == nil {
		if locked, err := machine.Locked(); err != nil || !locked {
			return // where it cannot be seen, it cannot be waited for
		}
		select {
		case <-limit.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// tell says what worked, and why the stages before it did not.
func tell(c *cli.Context, name string, report ctl.StopReport, stopped bool) error {
	var failed []string
	seconds := 0.0
	for _, attempt := range report.Tried {
		seconds += attempt.Seconds
		if attempt.Stage != report.Stage {
			failed = append(failed, attempt.Stage+": "+attempt.Result)
		}
	}
	why := ""
	if len(failed) > 0 {
		why = " (" + strings.Join(failed, "; ") + ")"
	}
	if !stopped {
		return cmdline.Status(cmdline.StatusTimeout, fmt.Errorf("vm %q: still running%s", name, why))
	}
	_, err := fmt.Fprintf(c.App.Writer, "%s: stopped by %s in %.1f s%s\n", name, report.Stage, seconds, why)
	return err
}
