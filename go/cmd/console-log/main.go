// Command console-log prints what the consoles of VMs and the channels of qemu-relay have
// printed, while they run and after their end.
package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/attach"
	"microvm-console/internal/cmdline"
	"microvm-console/internal/follow"
	"microvm-console/internal/journal"
	"microvm-console/internal/logs"
	"microvm-console/internal/verdict"
	"microvm-console/internal/vmconfig"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "console-log",
		Usage:     "print the journal of a VM's console or of a channel",
		ArgsUsage: "[CONSOLE]",
		Description: `Prints the newest boot of a console from its first byte, and ends. The VM need not run.
CONSOLE is the name or the device of a console (serial, ttyS0); the default is the
VM's first one. Without --name and --channel, it is the only VM that runs, or else the
channel serial if it has a relay.

--list shows the boots that are kept and how each one ended. A restart of the guest itself
is listed within its boot. --since begins with the first byte of the last minutes or
hours, in whichever boot, and --tail with the last lines of the boot. --follow continues
with new output and new boots until Ctrl-C.

--events prints the events that the kernel reports in its log of the boot: panics, oopses,
warnings, reports of KASAN and lockdep, stalls. --file reads any recorded log instead.

--verdict prints whether the kernel's log of the boot is clean, broken (it has an event such as
an oops), or unknown (bytes are missing). Without CONSOLE, it reads all consoles of the VM.
--warnings and --allow are the fields kernelLog.warnings and kernelLog.allowFile of vm.json.

--decode adds file and line to the frames of the kernel's traces, from the debug information of
vmlinux and of the modules, which it looks for below the folder of vmlinux.

--timeline prints a picture of the boot, an SVG: its milestones from the start of QEMU to the
end, what each console printed over time, and the events of the kernel's log. Without CONSOLE,
it has all consoles of the VM.

--format asciicast prints the boot as a recording for asciinema and its web player, with the
times of the output. Bytes that are not UTF-8 are replaced there.

On a terminal, control sequences that could change its state are not shown; --raw shows
every byte. Elsewhere, as in a pipe to tail, the output is exactly what the guest printed.`,
		Metadata: manual().Metadata(),
		Flags: []cli.Flag{
			cmdline.ConfigFlag(),
			cmdline.NameFlag(cmdline.OnlyVM),
			cmdline.ChannelFlag("print", ""),
			cmdline.BootFlag(),
			&cli.BoolFlag{Name: "list", Usage: "list the boots"},
			&cli.BoolFlag{Name: "json", Usage: "with --list: print JSON, one line for each boot; with --events: one for each event; with --verdict: one object"},
			&cli.BoolFlag{Name: "events", Usage: "print the events of the kernel's log of the boot: panics, oopses, warnings, …"},
			&cli.BoolFlag{Name: "verdict", Usage: "print whether the kernel's log of the boot is clean, broken or unknown"},
			&cli.BoolFlag{Name: "timeline", Usage: "print a picture of the boot over time, an SVG"},
			&cli.StringFlag{Name: "warnings", Value: string(verdict.Note), Usage: "with --verdict: what a kernel's warning means, `TREATMENT`: fail, note, ignore"},
			&cli.StringFlag{Name: "allow", Usage: "with --verdict: allow the events that match a regular expression in `FILE`", TakesFile: true},
			&cli.StringFlag{Name: "file", Usage: "with --events, --verdict or --decode: read the log in `FILE` instead of a journal; - is standard input", TakesFile: true},
			&cli.StringFlag{Name: "format", Value: plain, Usage: "print the boot as `FORMAT`: " + strings.Join(formats, ", ")},
			&cli.BoolFlag{Name: "follow", Usage: "continue with new output"},
			&cli.DurationFlag{Name: "since", Usage: "begin with the output of the last `TIME`, e.g. 10m"},
			&cli.IntFlag{Name: "tail", Usage: "begin with the last `N` lines of the boot"},
			cmdline.TimestampsFlag(),
			cmdline.RawFlag(""),
			&cli.StringFlag{Name: "decode", Usage: "add file and line to the frames of traces, from this `VMLINUX`", TakesFile: true},
			&cli.StringFlag{Name: "modules", Usage: "with --decode: look for modules below `FOLDER` instead of that of vmlinux", TakesFile: true},
		},
		Action: run,
	}
}

// manual returns the parts of the manual page that the flags do not have.
func manual() cmdline.Manual {
	return cmdline.Manual{
		Exit: []cmdline.Entry{
			{Term: "0", Text: "success, or Ctrl-C with --follow"},
			{Term: "1", Text: "an error, or a verdict that is not clean"},
			{Term: "2", Text: "wrong usage, or a boot that is not kept"},
			{Term: "3", Text: "nothing is kept, or with --follow nothing is running"},
		},
		Files: []cmdline.Entry{cmdline.JournalFiles, cmdline.ChannelJournalFiles},
		Examples: []cmdline.Entry{
			{Term: "console-log --list", Text: "List the boots of the only VM that runs, and how they ended"},
			{Term: "console-log --name demo --boot -1", Text: "Print the boot before the newest one of the VM demo"},
			{Term: "console-log --name demo --follow --since 10m hvc0", Text: "Print the last 10 minutes of hvc0, and continue"},
			{Term: "console-log --events --file serial.log", Text: "Print the kernel's events in a log of any QEMU"},
			{Term: "console-log --name demo --verdict", Text: "Print whether the kernel of the VM demo has broken"},
			{Term: "console-log --file serial.log --decode ~/linux/vmlinux", Text: "Print a log of any QEMU, with the source lines of its traces"},
			{Term: "console-log --name demo --timeline >boot.svg", Text: "Draw the newest boot of the VM demo"},
			{Term: "console-log --name demo --format asciicast >boot.cast", Text: "Record the newest boot of the VM demo; asciinema play boot.cast shows it"},
			{Term: "console-log --channel serial --timestamps", Text: "Print a channel of qemu-relay, with times"},
		},
		SeeAlso:   []string{"connect-serial(1)", "console-status(1)", "qemu-relay(1)"},
		Arguments: map[string]cmdline.Values{"": cmdline.Consoles},
		Values:    map[string]cmdline.Values{"format": cmdline.OneOf(formats...)},
	}
}

// options are the flags and arguments.
type options struct {
	place    follow.Place
	consoles []vmconfig.Console // those of the VM; nil if they are unknown
	boot     int
	oneBoot  bool // --boot was given
	since    time.Duration
	tail     int // lines; 0 for all
	show     attach.Options
}

func run(c *cli.Context) error {
	o, err := parse(c)
	if err != nil {
		return cmdline.Status(cmdline.StatusUsage, err)
	}
	if c.IsSet("file") {
		return runFile(c, o, c.String("file"))
	}
	if c.Bool("follow") {
		return attach.WithStatus(followLog(c, o))
	}
	log, consoles, err := find(c.Context, o)
	if err != nil {
		return withFile(c, o.place.Console, attach.WithStatus(err))
	}
	o.consoles = consoles
	if c.Bool("events") {
		return listBootEvents(c, o, log)
	}
	if c.Bool("verdict") {
		return judgeBoot(c, o, log)
	}
	if c.Bool("timeline") {
		return drawBoot(c.App.Writer, o, log)
	}
	snapshot, err := log.Snapshot()
	if err != nil {
		return err
	}
	if c.Bool("list") {
		return list(c.App.Writer, log, snapshot, c.Bool("json"))
	}
	if c.String("format") == recording {
		return attach.WithStatus(record(c.App.Writer, o.boot, log, snapshot))
	}
	return attach.WithStatus(show(c, o, log, snapshot))
}

// runFile is run for the log in a file.
func runFile(c *cli.Context, o options, path string) error {
	switch {
	case c.Bool("events"):
		return listFileEvents(c, path)
	case c.Bool("verdict"):
		return judgeFile(c, path)
	}
	return attach.WithStatus(decodeFile(c, o, path))
}

// ownChannel is the channel that is printed if no VM is named and none is running.
const ownChannel = "serial"

func parse(c *cli.Context) (options, error) {
	o := options{
		oneBoot: c.IsSet("boot"),
		show: attach.Options{
			Program: c.App.Name, Timestamps: c.Bool("timestamps"), Raw: c.Bool("raw"), Color: cmdline.Color(os.Stdout),
		},
	}
	args, err := cmdline.Arguments(c, min(1, c.NArg()))
	if err != nil {
		return o, err
	}
	if len(args) > 0 {
		o.place.Console = args[0]
	}
	if o.boot, err = cmdline.Boot(c); err != nil {
		return o, err
	}
	if o.since, err = cmdline.Positive(c, "since", "10m"); err != nil {
		return o, err
	}
	if o.tail = c.Int("tail"); c.IsSet("tail") && o.tail <= 0 {
		return o, fmt.Errorf("invalid tail %d: must be positive, e.g. 20", o.tail)
	}
	if err := contradiction(c, o); err != nil {
		return o, err
	}
	target, err := cmdline.TargetOf(c)
	o.place.Machine, o.place.Channel, o.consoles = target.VM, target.Channel, target.Consoles
	if target.VM == "" && target.Channel == "" {
		o.place.OwnChannel = ownChannel
	}
	return o, err
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
	if o.tail > 0 {
		if start, err = snapshot.Tail(boot.Start, boot.End, o.tail); err != nil {
			return err
		}
	}
	out, err := decoded(c, os.Stdout)
	if err != nil {
		return err
	}
	out.survey(func(w io.Writer) error { return snapshot.Copy(w, start, boot.End) })
	view := attach.NewView(o.show, out, c.App.ErrWriter)
	if o.since == 0 {
		view.SayEmpty(log, snapshot, boot)
	}
	err = view.Show(snapshot, start, boot.End)
	return cmp.Or(err, view.Close(), out.Close())
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

// followFrom returns where the output of --follow begins; see follow.Request.
func followFrom(o options, target follow.Target) (string, error) {
	if o.since == 0 && o.tail == 0 {
		return "start", nil
	}
	snapshot, err := journal.TakeSnapshot(target.Console.Relay.Journal)
	if err != nil {
		return "", err
	}
	end := target.Console.Relay.End
	if o.since > 0 {
		return strconv.FormatInt(since(snapshot, end, o.since), 10), nil
	}
	boot, err := snapshot.Boot(0)
	if err != nil {
		return "", err
	}
	start, err := snapshot.Tail(boot.Start, max(boot.Start, end), o.tail)
	return strconv.FormatInt(start, 10), err
}

// followLog prints the log of a console that is served, then new output, until ctx is done.
func followLog(c *cli.Context, o options) error {
	ctx := c.Context
	target, err := follow.Find(ctx, o.place)
	if err != nil {
		return err
	}
	from, err := followFrom(o, target)
	if err != nil {
		return err
	}
	request := follow.Request{From: from, Client: fmt.Sprintf("%s[%d]", c.App.Name, os.Getpid()), Stay: true}
	out, err := decoded(c, os.Stdout)
	if err != nil {
		return err
	}
	view := attach.NewView(o.show, out, c.App.ErrWriter)
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
	return cmp.Or(err, view.Close(), out.Close())
}
