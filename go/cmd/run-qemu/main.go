// Command run-qemu starts QEMU with its serial ports, its monitor and its debug console on
// persistent relays.
package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/color"
	"microvm-console/internal/settings"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "run-qemu",
		Usage:     "start QEMU with its serial port, monitor and debugcon on persistent relays",
		UsageText: "run-qemu [--verdict] [QEMU arguments...]",
		ArgsUsage: "[--verdict] [QEMU arguments...]",
		Description: `Connects QEMU with every channel of qemu-relay that the settings enable: serial, monitor and
debugcon, and others, which are further serial ports unless their name begins with hvc or
contains monitor, hmp or qmp. All arguments are passed to QEMU. If a channel has no running
relay, run-qemu serves it until QEMU ends. A -serial, -monitor or -debugcon among the
arguments replaces the channel. Without a display (DISPLAY, WAYLAND_DISPLAY) and without an
option for one, QEMU gets -display none.

When QEMU has ended, a line reports a guest that panicked or restarted again and again. With
--verdict as the first argument, run-qemu prints whether the kernel's log is clean, broken or
unknown (see console-log), and the exit status says so. A log without a line of a kernel has no
verdict: -append needs console=ttyS0.

QEMU is the program $QEMU, or qemu-system-x86_64. The settings are those of qemu-relay.
--help and --version as the only argument are run-qemu's; QEMU has -help and -version.`,
		Metadata: cmdline.Manual{
			Exit: []cmdline.Entry{
				{Term: "N", Text: "QEMU's exit status, or 128 and the number of the signal that ended it"},
				{Term: "1", Text: "before QEMU starts: it cannot be started; with --verdict: the kernel's log is broken or unknown or has no verdict, or the guest crashed"},
				{Term: "2", Text: "before QEMU starts: wrong settings"},
				{Term: "4", Text: "with --verdict: the guest panicked"},
				{Term: "5", Text: "before QEMU starts: a relay did not answer in time"},
			},
			Files: []cmdline.Entry{
				{Term: "~/.config/qemu-relay/config.json", Text: "the settings of qemu-relay"},
				cmdline.ChannelRuntimeFiles, cmdline.ChannelJournalFiles,
			},
			Examples: []cmdline.Entry{
				{Term: "run-qemu -m 512 -kernel bzImage -append console=ttyS0", Text: "Start a kernel; attach with connect-serial"},
				{Term: "run-qemu --verdict -m 512 -kernel bzImage -append console=ttyS0", Text: "Test a kernel, and fail if it has broken"},
				{Term: "run-qemu -drive file=os.img,format=raw -s -S", Text: "Start an operating system of your own, and wait for gdb"},
				{Term: "QEMU=qemu-system-i386 run-qemu -cdrom os.iso", Text: "Use another QEMU"},
			},
			SeeAlso: []string{"qemu-relay(1)", "connect-serial(1)", "console-log(1)", "qemu-system-x86_64(1)"},
		}.Metadata(),
		SkipFlagParsing: true,
		Action:          run,
	}
}

func run(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) == 1 {
		switch args[0] {
		case "--help":
			return cli.ShowAppHelp(c)
		case "--version":
			cli.ShowVersion(c)
			return nil
		}
	}
	all, _, err := settings.Find("")
	if err != nil {
		return cmdline.Status(cmdline.StatusUsage, err)
	}
	program, err := exec.LookPath(cmp.Or(os.Getenv("QEMU"), "qemu-system-x86_64"))
	if err != nil {
		return fmt.Errorf("qemu: %w (install it, or set QEMU to a program)", err)
	}
	args, judged := cutVerdict(args)
	l := launch{program: program, user: args, verdict: judged, settings: all, palette: color.Of(c.App.ErrWriter), log: func(format string, words ...any) {
		fmt.Fprintf(c.App.ErrWriter, c.App.Name+": "+format+"\n", words...)
	}}
	status, err := l.run(c.Context)
	if err != nil {
		return err
	}
	return cmdline.Quiet(status)
}

// onlyPrints reports whether QEMU only prints something, and starts no machine.
func onlyPrints(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		return slices.Contains([]string{"-h", "-help", "--help", "-version", "--version", "help", "?"}, arg)
	})
}

// display reports whether there is a display to open a window on.
func display() bool {
	return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}
