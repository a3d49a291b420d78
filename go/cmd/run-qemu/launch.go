package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/color"
	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/plaintext"
	"microvm-console/internal/process"
	"microvm-console/internal/qemu"
	"microvm-console/internal/qmp"
	"microvm-console/internal/relay"
	"microvm-console/internal/relayd"
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
)

// launch is one QEMU, from its start to its end.
type launch struct {
	program  string
	user     []string // QEMU's arguments
	settings settings.Settings
	palette  color.Palette // of what log prints
	log      func(format string, words ...any)
	verdict  bool // give the verdict on the kernel's log

	leases map[string]*relayd.Lease // by channel
}

// run starts QEMU on its channels and returns its exit status when it has ended.
func (l *launch) run(ctx context.Context) (status int, err error) {
	relays := qemu.Relayed(l.program, l.user, display(), l.channels())
	var errs *multierror.Error
	defer func() {
		for _, lease := range l.leases {
			errs = multierror.Append(errs, lease.Leave())
		}
		if left := errs.ErrorOrNil(); left != nil {
			err = errors.Join(err, left)
		}
	}()
	if err := l.checkVerdict(relays); err != nil {
		return 0, err
	}
	if err := l.attach(ctx, relays); err != nil {
		return 0, err
	}
	l.announce(relays)
	w := l.watch(relays)
	if l.verdict {
		w.log = newKernelLog(w.devices(), w.consoles)
	}
	if status, err = l.runQEMU(ctx, relays, w); err != nil {
		return status, err
	}
	for _, lease := range l.leases {
		errs = multierror.Append(errs, lease.AwaitDrained())
	}
	if l.daemonized(status) {
		return status, nil
	}
	found := l.conclude(ctx, w, status)
	if w.log != nil && !onlyPrints(l.user) {
		status = l.judgeKernel(w.log, found, status)
	}
	return status, nil
}

// daemonized reports whether a QEMU that has ended with status continues in the background.
func (l *launch) daemonized(status int) bool {
	return status == 0 && slices.Contains(l.user, "-daemonize")
}

// recordLimit bounds how long the relays take to record how the boot has ended.
const recordLimit = 5 * time.Second

// conclude prints why the guest has ended, has the relays record it, and returns it; nil if the
// guest has not failed.
func (l *launch) conclude(ctx context.Context, w *watch, status int) *guest.Error {
	found, suspected := w.judge()
	if found != nil {
		text := "guest " + found.How()
		if found.Cause == guest.Reset && len(found.Lines) > 0 {
			text = found.Error() // which says what the output lacks
		}
		l.log("%s", l.palette.Red(plaintext.Line(text)))
	}
	if suspected != nil {
		l.log("%s", l.palette.Yellow(fmt.Sprintf("the guest may have panicked: the last line of %s is %q", suspected.Device(), suspected.Message())))
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	for _, lease := range l.leases {
		_ = lease.EndBoot(limited, w.how(found, suspected, status)) // without it, only the list of boots is incomplete
	}
	return found
}

// channels returns the channels of the settings, with which QEMU is connected.
func (l *launch) channels() []qemu.Channel {
	if onlyPrints(l.user) {
		return nil
	}
	var all []qemu.Channel
	ports := 0
	for _, name := range l.settings.Names() {
		c := qemu.Channel{Name: name, Device: settings.Device(name), Pipe: relay.VMPath(rundir.OfChannel(name).Path())}
		all = append(all, c)
		if c.Device == "serial" {
			ports++
		}
	}
	if ports > 0 && !l.settings.Channels["serial"].Enable {
		// The channel serial keeps the guest's ttyS0, even if QEMU is not connected with it.
		all = append([]qemu.Channel{{Name: "serial", Device: "serial"}}, all...)
	}
	return all
}

// attach takes a lease of each channel with which QEMU is connected.
func (l *launch) attach(ctx context.Context, relays qemu.Relays) error {
	l.leases = map[string]*relayd.Lease{}
	for _, c := range relays.Connected {
		lease, err := relayd.Attach(ctx, relayd.Config{Name: c.Name, Settings: l.settings})
		if err != nil {
			return err
		}
		l.leases[c.Name] = lease
		if lease.InProcess() && slices.Contains(l.user, "-daemonize") {
			return cmdline.Usage("-daemonize: the relay of %s would end with run-qemu (start its service first: systemctl --user start qemu-%s-relay.service)", c.Name, c.Name)
		}
	}
	return nil
}

// announce prints which relay serves which channel.
func (l *launch) announce(relays qemu.Relays) {
	for _, c := range relays.Connected {
		lease := l.leases[c.Name]
		files := lease.Relay.Consoles[0].Files()
		if lease.InProcess() {
			l.log("%s: boot %d on %s, relayed here until QEMU ends", c.Name, lease.Boot, files)
		} else {
			l.log("%s: boot %d on %s, relayed by pid %d", c.Name, lease.Boot, files, lease.Relay.PID)
		}
	}
	for _, taken := range relays.Taken {
		l.log("%s: not relayed: %s is among the arguments", taken.Channel, taken.Option)
	}
	for _, name := range relays.Absent {
		l.log("%s: not relayed: %s has no such device", name, filepath.Base(l.program))
	}
}

// kernelPrints reports whether a guest's kernel may print to a channel.
func kernelPrints(c qemu.Channel) bool { return c.Device == "serial" || c.Device == "virtconsole" }

// watch returns the watch of the guest, on the channels to which its kernel may print.
func (l *launch) watch(relays qemu.Relays) *watch {
	var names []string
	var consoles []console
	for _, c := range relays.Connected {
		if kernelPrints(c) {
			names, consoles = append(names, c.Name), append(consoles, console{l.leases[c.Name]})
		}
	}
	return newWatch(names, consoles)
}

// monitorID is the id of the character device of our monitor. It must differ from the user's.
const monitorID = "run-qemu-monitor"

// firstFD is the number of the first descriptor that QEMU inherits.
const firstFD = 3

// runQEMU starts QEMU and returns its exit status when it has ended. When ctx ends, it ends
// QEMU.
func (l *launch) runQEMU(ctx context.Context, relays qemu.Relays, w *watch) (status int, err error) {
	conn, theirs, err := process.SocketPair()
	if err != nil {
		return 0, err
	}
	files := []*os.File{theirs}
	for _, lease := range l.leases {
		lock, err := lease.Lock()
		if err != nil {
			conn.Close()
			closeAll(files)
			return 0, err
		}
		files = append(files, lock)
	}
	argv := slices.Concat([]string{l.program}, relays.Args, l.user, relays.After)
	if !onlyPrints(l.user) {
		argv = append(argv, qemu.Monitor(monitorID, firstFD)...)
	}
	started, err := process.Start(process.Command{Argv: argv, Files: files, Foreground: true})
	if err != nil {
		conn.Close()
		return 0, err
	}
	l.wait(ctx, started, qmp.New(conn, w.event), w)
	return started.Exit(), nil
}

func closeAll(files []*os.File) {
	for _, file := range files {
		file.Close()
	}
}

// lastEvents bounds how long events are read after the end of QEMU.
const lastEvents = time.Second

// wait waits for the end of QEMU. Until then it sends the relays' orders to QEMU's monitor, and
// has the relays record restarts of the guest.
func (l *launch) wait(ctx context.Context, started *process.Process, monitor *qmp.Client, w *watch) {
	living, ended := context.WithCancel(context.Background())
	var group errgroup.Group
	read := make(chan struct{}) // closed when the last event was read
	group.Go(func() error {
		defer close(read)
		return monitor.Run()
	})
	group.Go(func() error { return monitor.Handshake(living) })
	for name, lease := range l.leases {
		if settings.Device(name) != "serial" {
			continue
		}
		group.Go(func() error {
			lease.Orders(living, func(order string) { l.execute(living, monitor, name, order) })
			return nil
		})
	}
	group.Go(func() error {
		l.noteRestarts(living, w)
		return nil
	})
	if w.log != nil {
		group.Go(func() error {
			w.log.follow(living)
			return nil
		})
	}
	select {
	case <-started.Done():
	case <-ctx.Done():
		_ = started.Signal(unix.SIGTERM) // an error means that it has ended
		<-started.Done()
	}
	if !l.daemonized(started.Exit()) {
		select {
		case <-read:
		case <-time.After(lastEvents): // a child of QEMU has the socket open
		}
	}
	ended()
	monitor.Close()
	_ = group.Wait() // the errors say that QEMU has ended
}

// noteRestarts has the relays record the restarts of the guest, until ctx ends.
func (l *launch) noteRestarts(ctx context.Context, w *watch) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.restarted:
		}
		for _, lease := range l.leases {
			_ = lease.NoteRestart(ctx) // without it, only the list of boots is incomplete
		}
	}
}

// execute executes an order of the relay of a serial port.
func (l *launch) execute(ctx context.Context, monitor *qmp.Client, channel, order string) {
	if order != ctl.OrderBreak {
		return
	}
	id := struct {
		ID string `json:"id"`
	}{qemu.ChardevOf(channel)}
	if err := monitor.Execute(ctx, "chardev-send-break", id, nil); err != nil {
		l.log("%s: break: %v", channel, err)
	}
}
