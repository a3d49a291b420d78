// Command microvm-crash collects a crash bundle of a running microVM.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/candidates"
	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/display"
	"microvm-console/internal/logs"
	"microvm-console/internal/vmconfig"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "microvm-crash",
		Usage:     "collect a crash bundle of a running microVM",
		UsageText: "microvm-crash [options] [NAME]",
		Description: `Writes a folder that shows the state of the VM: what its consoles have printed in this boot,
the registers of all processors, what the kernel prints after the SysRq keys l, t, w and m
(its processors' stacks, all tasks, blocked tasks, memory), vm.json, the status and QEMU's
command line. index.json describes the files, and what is missing. The guest continues.

SysRq keys follow a break on the first serial console, or Ctrl-O on hvc0; the guest must have
the console open, and SysRq enabled: "collect": true in vm.json enables it. With "collect",
microvm-run collects a bundle by itself when the guest panics.

--dump adds the guest's memory, an ELF core file for crash(8) and drgn. It contains all that
the guest had in memory, passwords included.`,
		Metadata: cmdline.Manual{
			Exit: []cmdline.Entry{
				{Term: "0", Text: "the bundle is complete"},
				{Term: "1", Text: "an error: there is no bundle, or a part of it is missing"},
				{Term: "2", Text: "wrong usage"},
				{Term: "3", Text: "no such VM, or it is not running"},
				{Term: "5", Text: "the time limit passed; the bundle is still completed"},
			},
			Files: []cmdline.Entry{
				{Term: "$XDG_STATE_HOME/microvm/NAME/crashes/", Text: "the bundles"}, cmdline.RuntimeFiles,
			},
			Examples: []cmdline.Entry{
				{Term: "microvm-crash", Text: "Collect a bundle of the only VM that runs"},
				{Term: "microvm-crash --dump --output /tmp/hang demo", Text: "Collect one of demo with its memory in /tmp/hang"},
			},
			SeeAlso: []string{"console-log(1)", "microvm-run(1)", "crash(8)"},
			Arguments: map[string]cmdline.Values{
				"": func(*cli.Context) []candidates.Word { return candidates.VMs() },
			},
		}.Metadata(),
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag(cmdline.OnlyVM),
			&cli.StringFlag{Name: "output", Usage: "write the bundle to the new folder `DIR`", TakesFile: true},
			&cli.BoolFlag{Name: "dump", Usage: "add the guest's memory"},
			&cli.BoolFlag{Name: "nmi", Usage: "send a non-maskable interrupt too; the guest may panic"},
			&cli.BoolFlag{Name: "force", Usage: "take the writer's seat of the console for SysRq"},
			cmdline.TimeoutFlag(defaultLimit, "wait at most `TIME`"),
		},
		Action: collect,
	}
}

// defaultLimit is longer than VM.Collect takes.
const defaultLimit = 6 * time.Minute

func collect(c *cli.Context) error {
	request := ctl.CrashRequest{Dump: c.Bool("dump"), NMI: c.Bool("nmi"), Force: c.Bool("force")}
	name, err := machineName(c)
	if err != nil {
		return err
	}
	limit, err := cmdline.Timeout(c)
	if err != nil {
		return err
	}
	if c.IsSet("output") {
		if request.Output, err = filepath.Abs(c.String("output")); err != nil {
			return err
		}
	}
	client, status, err := ctl.Find(c.Context, name)
	switch {
	case errors.Is(err, ctl.ErrSeveral):
		return cmdline.Status(cmdline.StatusUsage, err)
	case err != nil:
		return cmdline.Status(cmdline.StatusNoVM, logs.Explain(err))
	}
	ctx, cancel := context.WithTimeout(c.Context, limit)
	defer cancel()
	bundle, err := client.Crash(ctx, request)
	switch {
	case ctx.Err() != nil && c.Err() == nil:
		place := cmp.Or(request.Output, "in the folder of its bundles")
		return cmdline.Status(cmdline.StatusTimeout, fmt.Errorf("vm %q: no bundle within %v (it will be %s once it is complete)", status.Name, limit, place))
	case err != nil:
		return fmt.Errorf("vm %q: %w", status.Name, err)
	}
	if err := display.Bundle(c.App.Writer, bundle); err != nil {
		return err
	}
	if len(bundle.Problems) > 0 {
		return cmdline.Quiet(cmdline.StatusFailed)
	}
	return nil
}

// machineName returns the name of the VM: the argument, or that of the flags.
func machineName(c *cli.Context) (string, error) {
	if c.NArg() == 0 {
		return cmdline.MachineName(c)
	}
	names, err := cmdline.Arguments(c, 1)
	if err != nil {
		return "", err
	}
	if c.IsSet("name") {
		return "", cmdline.Usage("--name and an argument both name the VM (use one of them)")
	}
	return names[0], cmdline.Status(cmdline.StatusUsage, vmconfig.CheckName(names[0]))
}
