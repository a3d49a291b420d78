// Command microvm-run starts a microVM in the foreground and stays until it
// ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/consoletest"
	"microvm-console/internal/guest"
	"microvm-console/internal/qemu"
	"microvm-console/internal/rundir"
	"microvm-console/internal/systemd"
	"microvm-console/internal/vm"
	"microvm-console/internal/vmconfig"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "microvm-run",
		Usage:     "start a microVM in the foreground and stay until it ends",
		ArgsUsage: "[-- QEMU arguments...] | --exec -- command...",
		Description: `What the consoles print is kept from the first byte, and served to up to
256 clients on TCP ports of localhost and on Unix sockets; each is told in a
line when the VM runs. A line that says READY follows when the guest's agent
answers or a console shows a login; a service manager is told the same by
sd_notify(3). Ctrl-C stops the VM as microvm-shutdown does, and the stage that
worked is told; a second Ctrl-C ends it at once. QEMU never outlives this program.

With --exec, what stands behind -- is no argument of QEMU's but a command: the VM
is started, the command is run in its guest by the agent there as microvm-exec does,
and the VM is stopped. stdout is the command's; all else goes to stderr. On a
terminal, text and colours are shown, and nothing that could harm it; --raw shows every
byte. Elsewhere the bytes are always exact. --timeout bounds the start and the command
together; the VM is stopped then as well.

A guest that ends by itself as nobody wanted is told with the last lines it has
printed: a kernel's panic; five restarts within a minute of a guest that is never
ready; a guest whose processors QEMU has stopped for good.

Exit status: 0 the guest powered off or was stopped; 1 an error, or a guest that
is lost or restarts again and again; 2 wrong usage or a wrong vm.json; 4 the
guest panicked. With --exec: the command's, as with microvm-exec; 3 no agent
answers in the guest; 5 the time limit has passed.`,
		Flags: append(cmdline.MachineFlags(),
			&cli.BoolFlag{Name: "auto-ports", Usage: "take a free port where the one in vm.json is taken"},
			&cli.BoolFlag{Name: "no-relay", Usage: "have QEMU serve the ports itself: one client each, nothing kept"},
			&cli.BoolFlag{Name: "detach", Usage: "continue in the background once the guest is ready"},
			&cli.BoolFlag{Name: "quiet", Usage: "print errors only"},
			&cli.BoolFlag{Name: "verbose", Usage: "print also why the accelerator was chosen, and each stage of a stop"},
			&cli.BoolFlag{Name: "exec", Usage: "run the command behind -- in the guest, and stop the VM"},
			&cli.BoolFlag{Name: "raw", Usage: "with --exec: show on a terminal everything that the command prints"},
			&cli.DurationFlag{Name: "timeout", Usage: "with --exec: end the command, or the wait for its guest, after `TIME`; with --detach: wait at most `TIME`"},
			&cli.BoolFlag{Name: "check", Usage: "tell every mistake in vm.json and exit"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print the QEMU command line, as it can be run by hand, and exit"},
		),
		Action: run,
	}
}

func run(c *cli.Context) error {
	what := "QEMU's arguments follow"
	if c.Bool("exec") {
		what = "the command follows"
	}
	extra, err := cmdline.AfterDash(c, what)
	if err != nil {
		return err
	}
	if err := checkFlags(c, extra); err != nil {
		return err
	}
	machine, err := cmdline.Machine(c, vmconfig.Machine.CheckFiles, consoletest.CheckNames)
	if err != nil {
		return err
	}
	ready := readyPipe()
	switch {
	case c.Bool("check"):
		_, err = fmt.Fprintf(c.App.Writer, "%s: no mistakes\n", c.String("config"))
		return err
	case c.Bool("dry-run"):
		return dryRun(c, machine, extra)
	case c.Bool("exec"):
		return execute(c, machine, extra)
	case c.Bool("detach") && ready == nil:
		return detach(c, machine)
	}
	options := vmOptions(c, c.App.Writer)
	options.QEMUArgs = extra
	v := vm.New(machine, options)
	var group errgroup.Group
	group.Go(func() error { return announce(c, v, machine, ready) })
	group.Go(func() error { return v.Run(c.Context) })
	return explain(c, group.Wait())
}

// checkFlags returns an error if flags contradict each other, or QEMU's arguments are not
// allowed.
func checkFlags(c *cli.Context, extra []string) error {
	if !c.Bool("exec") {
		if err := vmconfig.CheckQEMUArgs(extra); err != nil {
			return cmdline.Usage("%v", err)
		}
	}
	if c.Bool("raw") && !c.Bool("exec") {
		return cmdline.Usage("--raw needs --exec (connect-serial --raw shows every byte of a console)")
	}
	if c.IsSet("timeout") {
		switch limit := c.Duration("timeout"); {
		case !c.Bool("exec") && !c.Bool("detach"):
			return cmdline.Usage("--timeout needs --exec or --detach (microvm-shutdown stops a VM)")
		case limit <= 0:
			return cmdline.Usage("invalid timeout %v: must be positive, e.g. 30s", limit)
		}
	}
	if err := onlyOne(c, "quiet", "verbose"); err != nil {
		return err
	}
	return onlyOne(c, "check", "dry-run", "exec", "detach")
}

// onlyOne returns an error if more than one of some flags are given.
func onlyOne(c *cli.Context, flags ...string) error {
	first := ""
	for _, flag := range flags {
		switch {
		case !c.Bool(flag):
		case first != "":
			return cmdline.Usage("--%s and --%s: give one of them", first, flag)
		default:
			first = flag
		}
	}
	return nil
}

// vmOptions returns the options of a start, with the log going to w.
func vmOptions(c *cli.Context, w io.Writer) vm.Options {
	options := vm.Options{AutoPorts: c.Bool("auto-ports"), NoRelay: c.Bool("no-relay"), Verbose: c.Bool("verbose")}
	if !c.Bool("quiet") {
		options.Log = func(line string) { fmt.Fprintf(w, "%s: %s\n", c.App.Name, line) }
	}
	return options
}

// announce prints one line per console once QEMU runs, and one when the guest is ready. Then
// it notifies a service manager. It writes to the pipe of --detach, if there is one, when the
// guest is ready, or when QEMU runs if no console has a login.
func announce(c *cli.Context, v *vm.VM, machine vmconfig.Machine, ready *os.File) error {
	select {
	case <-v.Ready():
	case <-v.Finished():
		return nil
	}
	w := c.App.Writer
	if c.Bool("quiet") {
		w = io.Discard
	}
	for _, console := range v.Status().Consoles {
		socket := ""
		if console.Relay != nil {
			socket = ", unix " + console.Relay.Socket
		}
		_, err := fmt.Fprintf(w, "%-8s %-6s tcp localhost:%d%s\n", console.Name, console.Device, console.Port, socket)
		if err != nil {
			return err
		}
	}
	if !hasLogin(machine) {
		signalReady(ready)
		ready = nil
	}
	_ = v.AwaitReady(c.Context) // Run returns why the guest was not ready
	status := v.Status()
	if status.ReadyBy == "" {
		return nil
	}
	if _, err := fmt.Fprintf(w, "%s: READY after %.1f s (%s)\n", c.App.Name, status.ReadySeconds, status.ReadyBy); err != nil {
		return err
	}
	signalReady(ready)
	return systemd.Notify("READY=1")
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

// dryRun prints QEMU's command line for a shell, one option per line.
func dryRun(c *cli.Context, machine vmconfig.Machine, extra []string) error {
	host, _, err := vm.Plan(c.Context, machine)
	if err != nil {
		return err
	}
	if !c.Bool("no-relay") {
		host.Pipe = vm.Pipe(rundir.Of(machine.Name))
	}
	_, err = fmt.Fprintln(c.App.Writer, qemu.Shell(append(qemu.Args(machine, host), extra...)))
	return err
}
