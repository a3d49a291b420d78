package attach

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
	"microvm-console/internal/dialog"
	"microvm-console/internal/follow"
	"microvm-console/internal/journal"
	"microvm-console/internal/logs"
)

// App returns the program called name, a terminal on the console on device. If device is "", an
// argument names the console by its name or device, and the default is the first one. channel
// is the channel of qemu-relay to which it attaches if no VM is named and none is running; ""
// for none.
func App(name, device, channel string) *cli.App {
	shown := device
	if device == "" {
		shown = "a console"
	}
	steps := new(dialog.Flags)
	return &cli.App{
		Name:      name,
		Usage:     "attach a terminal to " + shown + " of a running microVM",
		ArgsUsage: "[CONSOLE]",
		Description: fmt.Sprintf(`Shows what the guest has printed on %s since its start, then new output, and sends what
you type to the guest. Any number of terminals can be attached. One of them holds the
writer's seat and types; the others are read-only. When the seat is free, the next
terminal with a key press takes it.

Ctrl-] detaches; the VM keeps running. --escape sets another key, so that Ctrl-] can be typed
into the guest. When the VM ends, the terminal waits for its next start and continues
there, unless --once is given. A line marks the beginning of each boot.

Control sequences that could change the state of your terminal or make it send text are
not shown: titles, the clipboard, mouse reports, terminal queries from the past. --raw shows
every byte.

If stdin or stdout is not a terminal, stdout receives the exact bytes, and stdin is sent to
the guest. After the end of stdin, the output continues until --timeout or the end of the
VM. A stdout that is a terminal is still protected.

--boot -1 shows the boot before the newest one, even if the VM is not running. console-log
lists boots and prints them.

--send and --expect make a script, in the order in which they are written. --send types TEXT
and Enter, or TEXT alone if it ends with \c. --expect waits until REGEXP matches the output that
follows the previous step; a first --expect also finds what was printed before, from the place
of --from on. A script that begins with --send begins now. REGEXP is one of Go (RE2); ^ and $
match at each line, and line ends are \n. An --expect that the echo of a --send would match is refused. The
output is printed up to the last match, and stdin is not read. The writer's seat is taken at
the start and kept to the end.

CONSOLE is the name or the device of another console of the VM, such as ttyS1.`, shown),
		Metadata: manual(name, device).Metadata(),
		Flags:    append(flags(channel), steps.Flags()...),
		Action:   func(c *cli.Context) error { return action(c, device, channel, steps) },
	}
}

// manual returns the sections of the manual page of App.
func manual(name, device string) cmdline.Manual {
	return cmdline.Manual{
		Exit: []cmdline.Entry{
			{Term: "0", Text: "you detached, the time limit passed, or the VM ended; with --send or --expect: all steps are done"},
			{Term: "1", Text: "an error, or microvm-run was killed; with --expect: the VM ended before a match"},
			{Term: "2", Text: "wrong usage, or a boot that is not kept"},
			{Term: "3", Text: "no such VM, or it is not running"},
			{Term: "5", Text: "with --send or --expect: the time limit passed before all steps were done"},
		},
		Files: []cmdline.Entry{
			cmdline.RuntimeFiles, cmdline.JournalFiles,
		},
		Examples: []cmdline.Entry{
			{Term: name, Text: "Attach to the only VM that runs"},
			{Term: name + " --expect 'login: ' --send root --expect '# '", Text: "Log in, and wait for the prompt"},
			{Term: name + " --name demo --from -4096 --read-only", Text: "Watch the VM demo, from the last 4096 bytes on"},
			{Term: "echo uname -a | " + name + " --timeout 5s", Text: "Type a line, and print the output of the next 5 seconds"},
			{Term: name + " --boot -1 --timestamps", Text: "Show the boot before the newest one, with times"},
		},
		SeeAlso:   []string{"console-log(1)", "console-status(1)", "microvm-run(1)", "qemu-relay(1)"},
		Arguments: map[string]cmdline.Values{"": cmdline.Consoles},
		Values:    map[string]cmdline.Values{"boot": cmdline.Boots(device), "from": cmdline.OneOf("start", "now")},
	}
}

// flags returns the flags of App.
func flags(channel string) []cli.Flag {
	return []cli.Flag{
		cmdline.ConfigFlag(),
		cmdline.NameFlag(cmdline.OnlyVM),
		cmdline.ChannelFlag("attach to", unnamed(channel)),
		&cli.StringFlag{Name: "from", Value: "start", Usage: "begin at `PLACE`: start (of the boot), now, -BYTES (from the end), or an offset"},
		cmdline.BootFlag(),
		&cli.BoolFlag{Name: "read-only", Usage: "do not type"},
		&cli.BoolFlag{Name: "force", Usage: "take the writer's seat from its holder"},
		&cli.BoolFlag{Name: "once", Usage: "on a terminal: end with the VM"},
		cmdline.TimestampsFlag(),
		cmdline.RawFlag(""),
		&cli.StringFlag{Name: "escape", Value: DefaultEscape.String(), Usage: "detach with `KEY`"},
		cmdline.TimeoutFlag(0, "end after `TIME`; with --send or --expect: fail then (default: 2m)"),
	}
}

// unnamed returns the part of a flag's usage that says when a program attaches to its own
// channel.
func unnamed(channel string) string {
	if channel == "" {
		return ""
	}
	return fmt.Sprintf(" (default: %s, if no VM is named and none runs)", channel)
}

func action(c *cli.Context, device, channel string, script *dialog.Flags) error {
	args, err := cmdline.Arguments(c, min(1, c.NArg()))
	if err != nil {
		return err
	}
	if len(args) > 0 {
		device, channel = args[0], ""
	}
	if len(args) > 0 && c.IsSet("channel") {
		return cmdline.Usage("unexpected console %q: a channel has no consoles (leave it out)", device)
	}
	o, err := options(c, device, channel)
	if err != nil {
		return cmdline.Status(cmdline.StatusUsage, err)
	}
	steps, err := stepsOf(c, &o, script)
	if err != nil {
		return cmdline.Status(cmdline.StatusUsage, err)
	}
	if len(steps) > 0 {
		return WithStatus(RunScript(c.Context, o, steps, os.Stdout, c.App.ErrWriter))
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
		Place:      follow.Place{OwnChannel: channel, Console: device},
		From:       c.String("from"),
		ReadOnly:   c.Bool("read-only"),
		Force:      c.Bool("force"),
		Once:       c.Bool("once"),
		Timestamps: c.Bool("timestamps"),
		Raw:        c.Bool("raw"),
		Color:      cmdline.Color(os.Stdout),
	}
	if _, err := strconv.ParseInt(o.From, 10, 64); err != nil && o.From != "start" && o.From != "now" {
		return o, fmt.Errorf("invalid from %q: must be start, now, -BYTES or an offset", o.From)
	}
	if o.Force && o.ReadOnly {
		return o, errors.New("--force and --read-only: --force is for typing (use one of them)")
	}
	var err error
	if o.Boot, err = cmdline.Boot(c); err != nil {
		return o, err
	}
	if o.Timeout, err = cmdline.Timeout(c); err != nil {
		return o, err
	}
	if o.Escape, err = ParseKey(c.String("escape")); err != nil {
		return o, err
	}
	target, err := cmdline.TargetOf(c)
	o.Place.Machine, o.Place.Channel, o.Consoles = target.VM, target.Channel, target.Consoles
	return o, err
}

// stepsOf returns the steps of a script; none if there is no script. What was printed before a text
// does not count, so that a script that begins with one begins now.
func stepsOf(c *cli.Context, o *Options, script *dialog.Flags) ([]dialog.Step, error) {
	steps, err := script.Steps()
	switch {
	case err != nil || len(steps) == 0:
		return nil, err
	case o.Boot < 0:
		return nil, fmt.Errorf("%v and --boot: only the newest boot can go on (search another one in the output of console-log)", steps[0])
	case dialog.Types(steps) && o.ReadOnly:
		return nil, errors.New("--send and --read-only: --read-only does not type (use one of them)")
	case steps[0].Expect == nil && !c.IsSet("from"):
		o.From = "now"
	}
	return steps, nil
}
