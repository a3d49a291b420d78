// Command console-log prints what the consoles of VMs and the channels of qemu-relay have
// printed, while they run and after their end.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/attach"
	"microvm-console/internal/cmdline"
	"microvm-console/internal/follow"
	"microvm-console/internal/journal"
	"microvm-console/internal/logs"
	"microvm-console/internal/vmconfig"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "console-log",
		Usage:     "print what a console of a VM, or a channel, has printed",
		ArgsUsage: "[CONSOLE]",
		Description: `Prints the newest boot of a console from its first byte, and ends: the VM need not
run. CONSOLE is a console by its name or its device (serial, ttyS0); left out, the
first one of the VM. Without a name it is the only VM that runs, or else the channel
serial if that has a relay.

--list shows the boots of which something is kept, and how each ended; a restart of
the guest itself is listed within its boot. --since begins with the first byte that
came within a time, whichever boot that is of. --follow goes on with what comes, and
with following boots, until Ctrl-C.

What could harm your terminal is not shown on one; --raw shows everything. Elsewhere
the bytes are exactly those that the guest printed.

Exit status: 0 done, or interrupted while it follows; 1 an error; 2 wrong usage, or
a boot that is not kept; 3 nothing is kept, or with --follow nothing runs.`,
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag("`NAME` of the VM (default: the one in vm.json, or the only one that runs)"),
			&cli.StringFlag{Name: "channel", Usage: "print the channel `NAME` of qemu-relay"},
			&cli.IntFlag{Name: "boot", Usage: "print boot `N`: 0 is the newest, -1 the one before"},
			&cli.BoolFlag{Name: "list", Usage: "list the boots"},
			&cli.BoolFlag{Name: "json", Usage: "with --list: print JSON, a line for each boot"},
			&cli.BoolFlag{Name: "follow", Usage: "go on with what comes"},
			&cli.DurationFlag{Name: "since", Usage: "begin with what came in the last `TIME`, as 10m"},
			&cli.BoolFlag{Name: "timestamps", Usage: "begin each line with the time at which it came"},
			&cli.BoolFlag{Name: "raw", Usage: "show on a terminal everything that the guest printed"},
		},
		Action: run,
	}
}

// options are the flags and arguments.
type options struct {
	place    follow.Place
	consoles []vmconfig.Console // those of the VM; nil if they are unknown
	boot     int
	oneBoot  bool // --boot was given
	since    time.Duration
	show     attach.Options
}

func run(c *cli.Context) error {
	o, err := parse(c)
	if err != nil {
		return cmdline.Status(cmdline.StatusUsage, err)
	}
	if c.Bool("follow") {
		return attach.WithStatus(followLog(c, o))
	}
	log, err := find(c.Context, o)
	if err != nil {
		return attach.WithStatus(err)
	}
	snapshot, err := log.Snapshot()
	if err != nil {
		return err
	}
	if c.Bool("list") {
		return list(c.App.Writer, log, snapshot, c.Bool("json"))
	}
	return attach.WithStatus(show(c, o, log, snapshot))
}

// ownChannel is the channel that is printed if no VM is named and none is running.
const ownChannel = "serial"

func parse(c *cli.Context) (options, error) {
	o := options{
		place:   follow.Place{Channel: c.String("channel")},
		boot:    c.Int("boot"),
		oneBoot: c.IsSet("boot"),
		since:   c.Duration("since"),
		show: attach.Options{
			Program: c.App.Name, Timestamps: c.Bool("timestamps"), Raw: c.Bool("raw"), Colour: cmdline.Colour(os.Stdout),
		},
	}
	args, err := cmdline.Arguments(c, min(1, c.NArg()))
	if err != nil {
		return o, err
	}
	if len(args) > 0 {
		o.place.Console = args[0]
	}
	if err := contradiction(c, o); err != nil {
		return o, err
	}
	if c.IsSet("channel") {
		return o, logs.CheckChannel(o.place.Channel)
	}
	o.place.Machine, o.consoles, err = cmdline.MachineConsoles(c)
	if err == nil && o.place.Machine == "" {
		o.place.OwnChannel = ownChannel
	}
	return o, err
}

// contradiction returns an error if the flags exclude each other.
func contradiction(c *cli.Context, o options) error {
	switch {
	case c.IsSet("channel") && c.IsSet("name"):
		return errors.New("--channel and --name: a channel does not belong to a VM (use one of them)")
	case c.IsSet("channel") && o.place.Console != "":
		return fmt.Errorf("unexpected console %q: a channel has no consoles (leave it out)", o.place.Console)
	case o.boot > 0:
		return fmt.Errorf("invalid boot %d: 0 is the newest one, -1 the one before", o.boot)
	case c.IsSet("since") && o.since <= 0:
		return fmt.Errorf("invalid since %v: must be positive, e.g. 10m", o.since)
	case c.Bool("follow") && (c.Bool("list") || o.boot < 0):
		return errors.New("--follow: continues with new output (leave out --list and --boot)")
	}
	return listContradiction(c, o)
}

// listContradiction is contradiction for the flags of a list.
func listContradiction(c *cli.Context, o options) error {
	switch {
	case c.Bool("json") && !c.Bool("list"):
		return errors.New("--json: only for a list (add --list)")
	case c.Bool("list") && (o.oneBoot || c.IsSet("since")):
		return errors.New("--list: lists all boots (leave out --boot and --since)")
	}
	return nil
}

// show prints the part of a snapshot that the options select.
func show(c *cli.Context, o options, log logs.Log, snapshot *journal.Snapshot) error {
	boot, err := snapshot.Boot(o.boot)
	if err != nil {
		return err
	}
	start := boot.Start
	if o.since > 0 {
		start = since(snapshot, boot.End, o.since)
	}
	if o.oneBoot {
		start = max(start, boot.Start)
	}
	view := attach.NewView(o.show, os.Stdout, c.App.ErrWriter)
	if o.since == 0 {
		view.SayEmpty(log, snapshot, boot)
	}
	err = view.Show(snapshot, start, boot.End)
	return cmp.Or(err, view.Close())
}

// since returns the offset of the first byte that came in the last d, or end if none did.
func since(snapshot *journal.Snapshot, end int64, d time.Duration) int64 {
	first := time.Now().Add(-d)
	for _, mark := range snapshot.Times(0, end) {
		if !mark.Time.Before(first) {
			return mark.Offset
		}
	}
	return end
}

// followLog prints the log of a console that is served, then new output, until ctx is done.
func followLog(c *cli.Context, o options) error {
	ctx := c.Context
	target, err := follow.Find(ctx, o.place)
	if err != nil {
		return err
	}
	request := follow.Request{From: "start", Client: fmt.Sprintf("%s[%d]", c.App.Name, os.Getpid()), Stay: true}
	if o.since > 0 {
		snapshot, err := journal.TakeSnapshot(target.Console.Relay.Journal)
		if err != nil {
			return err
		}
		request.From = strconv.FormatInt(since(snapshot, target.Console.Relay.End, o.since), 10)
	}
	view := attach.NewView(o.show, os.Stdout, c.App.ErrWriter)
	err = follow.Run(ctx, target, request, func(e follow.Event) error {
		if err := view.Handle(e); err != nil {
			return err
		}
		if e.Kind == follow.Ended {
			view.SayEnded(e, "waiting for its next start (Ctrl-C ends this)")
		}
		return nil
	})
	if ctx.Err() != nil {
		err = nil // Ctrl-C is the regular end
	}
	return cmp.Or(err, view.Close())
}
