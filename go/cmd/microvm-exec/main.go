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
		Description: `The guest's agent (microvm-agent or qemu-ga) runs the command. Its output and its exit
status are those of microvm-exec. No shell is involved unless the command is one:
"sh -c ...". stdin, unless it is a terminal, is read to its end first, at most 4 MiB, and
is the command's input. microvm-agent sends output while the command runs; qemu-ga
sends it at the end, at most 16 MiB.

On a terminal, control sequences that could change its state are not shown; --raw shows
every byte. Elsewhere the bytes are exact.

Ctrl-C and the time limit end the command in the guest too, if the guest has a shell.`,
		Metadata: cmdline.Manual{
			AfterDash: "the command follows",
			Exit: []cmdline.Entry{
				{Term: "N", Text: "the command's exit status, or 128 and the number of the signal that ended it"},
				{Term: "1", Text: "an error; the command did not run"},
				{Term: "2", Text: "wrong usage, or more than 4 MiB of input"},
				{Term: "3", Text: "no such VM, it is not running, or no agent answers in it"},
				{Term: "5", Text: "the time limit passed"},
				{Term: "126", Text: "the guest cannot start the command"},
				{Term: "127", Text: "the guest has no such program"},
			},
			Files: []cmdline.Entry{cmdline.RuntimeFiles},
			Examples: []cmdline.Entry{
				{Term: "microvm-exec -- uname -r", Text: "Print the kernel version of the only VM that runs"},
				{Term: "microvm-exec --name demo --wait-ready -- sh -c 'dmesg | tail -n 5'", Text: "Wait for the guest of demo, and run a pipeline in it"},
				{Term: "microvm-exec -- sh -c 'cat > /tmp/data' < data", Text: "Copy a file into the guest"},
			},
			SeeAlso: []string{"microvm-agent(1)", "microvm-run(1)"},
		}.Metadata(),
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag(cmdline.OnlyVM),
			cmdline.WaitReadyFlag(),
			cmdline.RawFlag(""),
			cmdline.TimeoutFlag(0, "end the wait and the command after `TIME`"),
		},
		Action: run,
	}
}

func run(c *cli.Context) error {
	command, err := cmdline.AfterDash(c, "the command follows")
	switch {
	case err != nil:
		return err
	case len(command) == 0 || command[0] == "":
		return cmdline.Usage("a command is missing (write it after --, e.g. %s -- uname -r)", c.App.Name)
	}
	limit, err := cmdline.Timeout(c)
	if err != nil {
		return err
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
