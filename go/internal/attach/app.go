package attach

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/follow"
	"microvm-console/internal/journal"
	"microvm-console/internal/logs"
)

// App returns the program called name, a terminal on the console on device. channel is the
// channel of qemu-relay to which it attaches if no VM is named and none is running; "" for
// none.
func App(name, device, channel string) *cli.App {
	return &cli.App{
		Name:  name,
		Usage: "a terminal on a running microVM's " + device,
		Description: fmt.Sprintf(`Shows what the guest has printed on %s since its start, then what it prints,
and types what you type. Many terminals may be attached; one has the
writer's seat and types, the others watch, and a key takes the seat once it is free.
Ctrl-] leaves (choose another key with --escape to type Ctrl-] into the guest); the
VM goes on. If the VM ends, the terminal waits for its next start and goes on there;
--once ends with the VM. A line marks where a boot begins.

What could harm your terminal, or have it type by itself, is not shown: titles,
the clipboard, mouse reports, questions of the past. --raw shows everything.

If stdin or stdout is not a terminal, stdout gets the bytes as they are, and
stdin is typed; after its end the output goes on until --timeout passes or the
VM ends. A terminal at stdout is protected all the same.

--boot -1 shows the boot before the newest one, also of a VM that does not run.
console-log lists the boots, and prints each of them.

Exit status: 0 you left, the time limit passed, or the VM has ended; 1 an error,
or the VM's owner was killed; 2 wrong usage; 3 no such VM, or it is not running.`, device),
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag("`NAME` of the VM (default: the one in vm.json, or the only one that runs)"),
			&cli.StringFlag{Name: "channel", Usage: "attach to the channel `NAME` of qemu-relay" + unnamed(channel)},
			&cli.StringFlag{Name: "from", Value: "start", Usage: "begin at `PLACE`: start (of the boot), now, -BYTES (the last ones), or an offset"},
			&cli.IntFlag{Name: "boot", Usage: "show boot `N`: 0 is this one, -1 the one before"},
			&cli.BoolFlag{Name: "read-only", Usage: "type nothing"},
			&cli.BoolFlag{Name: "force", Usage: "take the writer's seat from whoever has it"},
			&cli.BoolFlag{Name: "once", Usage: "at a terminal: end with the VM"},
			&cli.BoolFlag{Name: "timestamps", Usage: "begin each line with the time at which it came"},
			&cli.BoolFlag{Name: "raw", Usage: "show on a terminal everything that the guest prints"},
			&cli.StringFlag{Name: "escape", Value: DefaultEscape.String(), Usage: "leave with `KEY`"},
			&cli.DurationFlag{Name: "timeout", Usage: "end after `TIME`"},
		},
		Action: func(c *cli.Context) error { return action(c, device, channel) },
	}
}

// unnamed returns when a program attaches to its own channel.
func unnamed(channel string) string {
	if channel == "" {
		return ""
	}
	return fmt.Sprintf(" (default: none; %s, where no VM is named and none runs)", channel)
}

func action(c *cli.Context, device, channel string) error {
	if err := cmdline.NoArguments(c); err != nil {
		return err
	}
	o, err := options(c, device, channel)
	if err != nil {
		return cmdline.Status(cmdline.StatusUsage, err)
	}
	return WithStatus(Run(c.Context, o, os.Stdin, os.Stdout, c.App.ErrWriter))
}

// WithStatus adds the exit status to an error of Run, or of package logs. It also adds to a
// *ctl.NotRunningError how the last boot of the VM ended.
func WithStatus(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ctl.ErrSeveral), errors.Is(err, follow.ErrNoConsole), errors.Is(err, logs.ErrNoConsole),
		errors.Is(err, ctl.ErrNotKept), errors.Is(err, journal.ErrNotKept):
		return cmdline.Status(cmdline.StatusUsage, err)
	case errors.As(err, new(*follow.FindError)), errors.Is(err, logs.ErrNone):
		return cmdline.Status(cmdline.StatusNoVM, logs.Explain(err))
	}
	return err
}

// options reads the flags.
func options(c *cli.Context, device, channel string) (Options, error) {
	o := Options{
		Program:    c.App.Name,
		Place:      follow.Place{Channel: c.String("channel"), OwnChannel: channel, Console: device},
		From:       c.String("from"),
		Boot:       c.Int("boot"),
		ReadOnly:   c.Bool("read-only"),
		Force:      c.Bool("force"),
		Once:       c.Bool("once"),
		Timestamps: c.Bool("timestamps"),
		Raw:        c.Bool("raw"),
		Timeout:    c.Duration("timeout"),
		Colour:     cmdline.Colour(os.Stdout),
	}
	if _, err := strconv.ParseInt(o.From, 10, 64); err != nil && o.From != "start" && o.From != "now" {
		return o, fmt.Errorf("invalid from %q: must be start, now, -BYTES or an offset", o.From)
	}
	if c.IsSet("channel") {
		if err := logs.CheckChannel(o.Place.Channel); err != nil {
			return o, err
		}
	}
	if o.Place.Channel != "" && c.IsSet("name") {
		return o, errors.New("--channel and --name: a channel does not belong to a VM (use one of them)")
	}
	if o.Force && o.ReadOnly {
		return o, errors.New("--force and --read-only: --force is for typing (use one of them)")
	}
	if o.Boot > 0 {
		return o, fmt.Errorf("invalid boot %d: 0 is the newest one, -1 the one before", o.Boot)
	}
	if o.Timeout < 0 || c.IsSet("timeout") && o.Timeout == 0 {
		return o, fmt.Errorf("invalid timeout %v: must be positive, e.g. 5s", o.Timeout)
	}
	var err error
	if o.Escape, err = ParseKey(c.String("escape")); err != nil {
		return o, err
	}
	o.Place.Machine, o.Consoles, err = cmdline.MachineConsoles(c)
	return o, err
}
