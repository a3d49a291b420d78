// Command microvm-exec runs a command in the guest of a running microVM.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/guestcommand"
	"microvm-console/internal/logs"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "microvm-exec",
		Usage:     "run a command in the guest of a running microVM",
		ArgsUsage: "-- command [arguments...]",
		Description: `Runs the command in the guest by its agent (microvm-agent, or qemu-ga), and gives
its output and its exit status as if it ran here. It is no shell: for one, run
"sh -c" there. What comes on stdin, unless that is a terminal, is read to its end
first, at most 4 MiB, and is the command's input. With microvm-agent the output
comes while the command runs, with qemu-ga at its end, and 16 MiB of it.

On a terminal, text and colours are shown, and nothing that could harm it; --raw
shows every byte. Elsewhere the bytes are always exact.

Ctrl-C and the time limit end the command in the guest too, if that has a shell.

Exit status: the command's; 128 and the signal's number where a signal has ended
it; 126 the guest cannot start it, 127 there is no such program there. Where it was
not run: 1 an error; 2 wrong usage, or too long an input; 3 no such VM, it is not
running, or no agent answers there; 5 the time limit has passed.`,
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag("`NAME` of the VM (default: the one in vm.json, or the only one that runs)"),
			&cli.BoolFlag{Name: "wait-ready", Usage: "wait until the guest is ready"},
			&cli.BoolFlag{Name: "raw", Usage: "show on a terminal everything that the command prints"},
			&cli.DurationFlag{Name: "timeout", Usage: "end it all after `TIME`"},
		},
		Action: run,
	}
}

func run(c *cli.Context) error {
	command, err := cmdline.AfterDash(c, "the command follows")
	limit := c.Duration("timeout")
	switch {
	case err != nil:
		return err
	case len(command) == 0 || command[0] == "":
		return cmdline.Usage("a command is missing (write it after --, e.g. %s -- uname -r)", c.App.Name)
	case c.IsSet("timeout") && limit <= 0:
		return cmdline.Usage("invalid timeout %v: must be positive, e.g. 30s", limit)
	}
	name, err := cmdline.MachineName(c)
	if err != nil {
		return err
	}
	ctx, cancel := cmdline.Limited(c.Context, limit, guestcommand.ErrTimeLimit)
	defer cancel()
	return guestcommand.Ended(ctx, command[0], limit, runIn(ctx, c, name, command))
}

// runIn runs the command in the machine called name.
func runIn(ctx context.Context, c *cli.Context, name string, command []string) error {
	client, status, err := ctl.Find(ctx, name)
	switch {
	case errors.Is(err, ctl.ErrSeveral):
		return cmdline.Status(cmdline.StatusUsage, err)
	case err != nil:
		return cmdline.Status(cmdline.StatusNoVM, logs.Explain(err))
	}
	if c.Bool("wait-ready") {
		if _, err := client.AwaitReady(ctx); err != nil {
			return cmdline.Status(cmdline.StatusNoVM, guestcommand.NotReady(fmt.Errorf("vm %q: %w", status.Name, err)))
		}
	}
	return guestcommand.Run(ctx, client, command, guestcommand.Streams{
		In: os.Stdin, Out: c.App.Writer, Err: c.App.ErrWriter, Raw: c.Bool("raw"), Program: c.App.Name,
	})
}
