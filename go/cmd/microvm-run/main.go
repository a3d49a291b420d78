// Command microvm-run starts a microVM in the foreground and stays until it
// ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/consoletest"
	"microvm-console/internal/display"
	"microvm-console/internal/guest"
	"microvm-console/internal/systemd"
	"microvm-console/internal/vm"
	"microvm-console/internal/vmconfig"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "microvm-run",
		Usage:     "start a microVM in the foreground and wait for its end",
		UsageText: "microvm-run [options] [-- QEMU arguments...]\nmicrovm-run [options] --exec -- command [arguments...]\nmicrovm-run [options] units [options]",
		Description: `Starts QEMU, keeps what the consoles print from the first byte, and serves each console to
up to 256 clients on a TCP port of localhost and on a Unix socket. A line for each console
is printed when the VM runs. A line with READY follows when the guest's agent answers or a
console shows a login prompt; a service manager is notified too (sd_notify(3)). Ctrl-C
stops the VM as microvm-shutdown does; a second Ctrl-C ends it at once. QEMU never
outlives this program.

With --exec, the arguments after -- are a command instead of QEMU's arguments. The VM is
started, the guest's agent runs the command as with microvm-exec, and the VM is stopped.
stdout is the command's; everything else is written to stderr. On a terminal, control
sequences that could change its state are not shown; --raw shows every byte. --timeout
limits the start and the command together; the VM is stopped then too.

With --detach, the program continues in the background once the guest is ready, or once QEMU
runs if no console has a login; its output is in run.log, beside the journals. If the VM ends
before that, nothing is left, and the exit status is the same as in the foreground.

With --gdb, the guest's processors do not start before gdb connects and continues them; a line
with gdb's command is printed. "gdb": true in vm.json serves gdb too, and starts the guest at
once. With --detach, --gdb does not wait until the guest is ready.

With "collect": true in vm.json, a crash bundle is written when the guest panics or stops
working (microvm-crash(1)); --dump adds the guest's memory.

If the guest ends unexpectedly, the last lines that it printed are shown: after a kernel
panic, after five restarts within a minute without becoming ready, or when QEMU has
stopped its processors.`,
		Metadata: manual.Metadata(),
		Flags: append(cmdline.MachineFlags(),
			&cli.BoolFlag{Name: "auto-ports", Usage: "use a free port if one in vm.json is in use, for a console or a forward"},
			&cli.BoolFlag{Name: "gdb", Usage: "start paused, and serve gdb on a Unix socket"},
			&cli.BoolFlag{Name: "no-tcp", Usage: "open no TCP ports, except those of consoles that are shared"},
			&cli.BoolFlag{Name: "no-relay", Usage: "let QEMU serve the ports: one client each, no history"},
			&cli.BoolFlag{Name: "detach", Usage: "continue in the background once the guest is ready"},
			&cli.BoolFlag{Name: "dump", Usage: "with \"collect\": add the guest's memory to the crash bundle"},
			&cli.BoolFlag{Name: "quiet", Usage: "print only errors"},
			&cli.BoolFlag{Name: "verbose", Usage: "also print why the accelerator was chosen, and each stage of a stop"},
			&cli.BoolFlag{Name: "exec", Usage: "run the command after -- in the guest, and stop the VM"},
			cmdline.RawFlag("with --exec: "),
			cmdline.TimeoutFlag(0, "with --exec: stop the VM after `TIME`; with --detach: if the guest is not ready"),
			&cli.BoolFlag{Name: "host-root", Usage: "start a guest with this host's files as its root, read-only; no vm.json is needed"},
			&cli.StringFlag{Name: "kernel", Usage: "with --host-root: start the kernel `FILE`, a bzImage (default: this host's)", TakesFile: true},
			&cli.StringSliceFlag{Name: "writable", Usage: "with --host-root: let the guest change the host's directory `DIR`, too", TakesFile: true},
			&cli.BoolFlag{Name: "check", Usage: "report every mistake in vm.json, and exit"},
			&cli.BoolFlag{Name: "other-host", Usage: "with --check: the VM starts on another host; do not look for its disks and shares"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print a QEMU command line that a shell can run, and exit"},
		),
		Action:   run,
		Commands: []*cli.Command{unitsCommand()},
	}
}

// manual is what the help and the manual page say besides the flags.
var manual = cmdline.Manual{
	AfterDash: "QEMU's arguments follow",
	Exit: []cmdline.Entry{
		{Term: "0", Text: "the guest powered off or was stopped"},
		{Term: "1", Text: "an error, or a guest that stopped working or restarted again and again"},
		{Term: "2", Text: "wrong usage or a wrong vm.json"},
		{Term: "3", Text: "with --exec: no agent answers in the guest"},
		{Term: "4", Text: "the guest panicked"},
		{Term: "5", Text: "with --exec or --detach: the time limit passed"},
		{Term: "N", Text: "with --exec: the command's exit status, as with microvm-exec"},
	},
	Files: []cmdline.Entry{
		{Term: "vm.json", Text: "the VM: kernel, initrd, memory, consoles and their ports"},
		{Term: "$XDG_STATE_HOME/microvm/NAME/run.log", Text: "the output of --detach"},
		cmdline.RuntimeFiles, cmdline.JournalFiles,
	},
	Examples: []cmdline.Entry{
		{Term: "microvm-run --config vm.json", Text: "Start a VM"},
		{Term: "microvm-run --config vm.json --detach", Text: "Start a VM in the background"},
		{Term: "microvm-run --config vm.json --exec -- uname -r", Text: "Run one command in a fresh guest"},
		{Term: "microvm-run --config vm.json units --install", Text: "Write the systemd unit that runs the VM as a service"},
		{Term: "microvm-run --config vm.json --check", Text: "Report every mistake in a vm.json"},
		{Term: "microvm-run --config vm.json --gdb", Text: "Wait for gdb before the first instruction"},
	},
	SeeAlso: []string{
		"connect-serial(1)", "console-log(1)", "console-status(1)", "microvm-crash(1)", "microvm-exec(1)",
		"microvm-shutdown(1)", "run-test(1)", "qemu-system-x86_64(1)",
	},
}

func run(c *cli.Context) error {
	what := "QEMU's arguments follow"
	if c.Bool("exec") {
		what = "the command follows"
	}
	extra, err := cmdline.AfterDash(c, what)
	if stray := c.Args().First(); err != nil && !c.IsSet("config") && strings.HasSuffix(stray, ".json") {
		return cmdline.Usage("unexpected argument %q (use --config %s)", stray, stray)
	}
	if err != nil {
		return err
	}
	if err := checkFlags(c, extra); err != nil {
		return err
	}
	if c.Bool("host-root") {
		guest, err := hostRoot(c)
		if err != nil {
			return err
		}
		return withFreeName(c, guest.Machine, func(machine vmconfig.Machine) error {
			return start(c, machine, extra, guest.WriteInitrd)
		})
	}
	rules := []func(vmconfig.Machine) error{vmconfig.Machine.CheckFiles, vmconfig.CheckAllowFile, consoletest.CheckNames}
	if !c.Bool("other-host") && !c.Bool("dry-run") {
		rules = append(rules, vmconfig.Machine.CheckDisks, vmconfig.Machine.CheckShares)
	}
	machine, err := cmdline.Machine(c, rules...)
	if err != nil {
		return err
	}
	return start(c, machine, extra, nil)
}

// start does with a machine what the flags say. extra are the arguments after "--", and
// writeInitrd is that of vm.Options.
func start(c *cli.Context, machine vmconfig.Machine, extra []string, writeInitrd vm.WriteInitrd) error {
	if err := checkCollect(c, machine, extra); err != nil {
		return err
	}
	ready := readyPipe()
	log := c.App.Writer
	if c.Bool("exec") {
		log = c.App.ErrWriter // stdout is the command's
	}
	options := vmOptions(c, log)
	if writeInitrd != nil {
		// Its kernel is quiet: on a busy host, the first output may take longer than usual.
		options.WriteInitrd, options.Silence = writeInitrd, time.Minute
	}
	switch {
	case c.Bool("check"):
		_, err := fmt.Fprintf(c.App.Writer, "%s: no mistakes\n", c.String("config"))
		return err
	case c.Bool("dry-run"):
		return dryRun(c, machine, extra)
	case c.Bool("exec"):
		return execute(c, vm.New(machine, options), machine.Name, extra)
	case c.Bool("detach") && ready == nil:
		return detach(c)
	}
	options.QEMUArgs = extra
	v := vm.New(machine, options)
	group, ctx := errgroup.WithContext(c.Context)
	group.Go(func() error { return announce(c, v, machine, ready) })
	group.Go(func() error { return v.Run(ctx) })
	showStatus(v)
	return explain(c, group.Wait())
}

// exclusive are the groups of flags of which only one may be given.
var exclusive = [][]string{
	{"quiet", "verbose"}, {"no-tcp", "no-relay"}, {"host-root", "check"}, {"check", "dry-run", "exec", "detach"},
}

// checkFlags returns an error if flags contradict each other, or QEMU's arguments are not
// allowed.
func checkFlags(c *cli.Context, extra []string) error {
	if c.Bool("exec") && (len(extra) == 0 || extra[0] == "") {
		return cmdline.Usage("--exec: a command is missing (it follows --, as in %s --exec -- uname -r)", c.App.Name)
	}
	if !c.Bool("exec") {
		if err := vmconfig.CheckQEMUArgs(extra); err != nil {
			return cmdline.Usage("%v", err)
		}
	}
	if err := checkNeeded(c); err != nil {
		return err
	}
	if err := checkHostRootFlags(c); err != nil {
		return err
	}
	if _, err := cmdline.Timeout(c); err != nil {
		return err
	}
	for _, flags := range exclusive {
		if err := onlyOne(c, flags...); err != nil {
			return err
		}
	}
	return nil
}

// checkNeeded returns an error if a flag needs one that is not given.
func checkNeeded(c *cli.Context) error {
	switch {
	case c.Bool("raw") && !c.Bool("exec"):
		return cmdline.Usage("--raw needs --exec (connect-serial --raw shows every byte of a console)")
	case c.IsSet("timeout") && !c.Bool("exec") && !c.Bool("detach"):
		return cmdline.Usage("--timeout needs --exec or --detach (microvm-shutdown stops a VM)")
	case c.Bool("other-host") && !c.Bool("check"):
		return cmdline.Usage("--other-host needs --check (a VM starts only with its disks and shares)")
	}
	return nil
}

// onlyOne returns an error if more than one of some flags are given.
func onlyOne(c *cli.Context, flags ...string) error {
	first := ""
	for _, flag := range flags {
		switch {
		case !c.Bool(flag):
		case first != "":
			return cmdline.Usage("--%s and --%s exclude each other (use one of them)", first, flag)
		default:
			first = flag
		}
	}
	return nil
}

// vmOptions returns the options of a start, with the log going to w.
func vmOptions(c *cli.Context, w io.Writer) vm.Options {
	options := vm.Options{
		AutoPorts: c.Bool("auto-ports") || c.Bool("host-root"), GDB: c.Bool("gdb"), NoTCP: c.Bool("no-tcp"),
		NoRelay: c.Bool("no-relay"), Dump: c.Bool("dump"), Verbose: c.Bool("verbose"),
	}
	if !c.Bool("quiet") {
		options.Log = func(line string) { fmt.Fprintf(w, "%s: %s\n", c.App.Name, line) }
	}
	return options
}

// announce prints one line per console once QEMU runs, and one when the guest is ready. The VM has
// started when the guest is ready, or when QEMU runs if no console has a login or gdb must start the
// guest: then announce notifies a service manager, and with the pipe of --detach leaves the
// terminal.
func announce(c *cli.Context, v *vm.VM, machine vmconfig.Machine, ready *os.File) error {
	w := c.App.Writer
	if c.Bool("quiet") {
		w = io.Discard
	}
	runs, err := showEndpoints(w, v)
	if err != nil || !runs {
		return err
	}
	started := func() error {
		return multierror.Append(leaveTerminal(c, machine, ready), systemd.Notify("READY=1")).ErrorOrNil()
	}
	early := c.Bool("gdb") || !machine.HasLogin()
	if early {
		if err := started(); err != nil {
			return err
		}
	}
	_ = v.AwaitReady(c.Context) // Run returns why the guest was not ready
	status := v.Status()
	if status.ReadyBy == "" {
		return nil
	}
	if _, err := fmt.Fprintf(w, "%s: READY after %.1f s (%s)\n", c.App.Name, status.ReadySeconds, status.ReadyBy); err != nil {
		return err
	}
	if early {
		return nil
	}
	return started()
}

// showEndpoints prints the endpoints of a VM once QEMU runs. It reports whether QEMU runs: the start
// may have failed.
func showEndpoints(w io.Writer, v *vm.VM) (runs bool, err error) {
	select {
	case <-v.Ready():
		return true, display.Endpoints(w, v.Status(), display.ScreenOf(w))
	case <-v.Finished():
		return false, nil
	}
}

// explain prints the last lines of a guest that has ended by itself, for a cause, and returns
// the error of Run with its exit status.
func explain(c *cli.Context, err error) error {
	var cause *guest.Error
	switch {
	case errors.As(err, &cause):
		cause.Show(c.App.ErrWriter)
		if cause.Panic() {
			return cmdline.Status(cmdline.StatusPanic, err)
		}
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted before QEMU ran")
	}
	return err
}
