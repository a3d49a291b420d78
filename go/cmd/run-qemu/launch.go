package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/ctl"
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
	log      func(format string, words ...any)

	leases map[string]*relayd.Lease
}

// run starts QEMU on its channels and returns its exit status when it has ended.
func (l *launch) run(ctx context.Context) (status int, err error) {
	relays := l.relays()
	l.leases = map[string]*relayd.Lease{}
	err = l.attach(ctx, relays)
	if err == nil {
		l.announce(relays)
		status, err = l.runQEMU(ctx, relays)
	}
	for _, lease := range l.leases {
		err = errors.Join(err, lease.Leave())
	}
	return status, err
}

// relays decides which channel QEMU gets.
func (l *launch) relays() qemu.Relays {
	pipes := map[string]string{}
	for _, name := range l.settings.Names() {
		if slices.Contains(qemu.Channels, name) && !onlyAsks(l.user) {
			pipes[name] = relay.VMPath(rundir.OfChannel(name).Path())
		}
	}
	return qemu.Relayed(l.program, l.user, display(), pipes)
}

// attach takes the leases of all channels that QEMU gets.
func (l *launch) attach(ctx context.Context, relays qemu.Relays) error {
	for _, name := range qemu.Channels {
		if !relays.Connected(name) {
			continue
		}
		lease, err := relayd.Attach(ctx, relayd.Config{Name: name, Settings: l.settings})
		if err != nil {
			return err
		}
		l.leases[name] = lease
		if lease.Carried() && slices.Contains(l.user, "-daemonize") {
			return cmdline.Usage("-daemonize: the relay of %s would end at once (start its service first: systemctl --user start qemu-%s-relay.service)", name, name)
		}
	}
	return nil
}

// announce says who serves which channel.
func (l *launch) announce(relays qemu.Relays) {
	for _, name := range qemu.Channels {
		lease := l.leases[name]
		if lease == nil {
			continue
		}
		files := lease.Relay.Consoles[0].Files()
		if lease.Carried() {
			l.log("%s: boot %d on %s, relayed here until QEMU ends", name, lease.Boot, files)
		} else {
			l.log("%s: boot %d on %s, relayed by pid %d", name, lease.Boot, files, lease.Relay.PID)
		}
	}
	for _, taken := range relays.Taken {
		l.log("%s: yours, %s", taken.Channel, taken.Option)
	}
	for _, name := range relays.Absent {
		l.log("%s: %s has none", name, filepath.Base(l.program))
	}
}

// monitorID is the character device of our monitor: no name that a user takes.
const monitorID = "run-qemu-monitor"

// firstFD is the first descriptor that QEMU inherits, by number.
const firstFD = 3

// runQEMU starts QEMU and waits for its end. When ctx ends it is asked to end.
func (l *launch) runQEMU(ctx context.Context, relays qemu.Relays) (status int, err error) {
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
	argv := slices.Concat([]string{l.program}, relays.Args, l.user)
	if !onlyAsks(l.user) {
		argv = append(argv, qemu.Monitor(monitorID, firstFD)...)
	}
	started, err := process.Start(process.Command{Argv: argv, Files: files, Foreground: true})
	if err != nil {
		conn.Close()
		return 0, err
	}
	l.attend(ctx, started, qmp.New(conn, func(qmp.Event) {}))
	return started.Exit(), nil
}

func closeAll(files []*os.File) {
	for _, file := range files {
		file.Close()
	}
}

// attend stays with QEMU until it ends, and passes the relays' orders on to its
// monitor.
func (l *launch) attend(ctx context.Context, started *process.Process, monitor *qmp.Client) {
	living, ended := context.WithCancel(context.Background())
	var group errgroup.Group
	group.Go(monitor.Run)
	group.Go(func() error { return monitor.Handshake(living) })
	if lease := l.leases["serial"]; lease != nil {
		group.Go(func() error {
			lease.Orders(living, func(order string) { l.obey(living, monitor, order) })
			return nil
		})
	}
	select {
	case <-started.Done():
	case <-ctx.Done():
		_ = started.Signal(unix.SIGTERM) // it ends by that, or has ended
		<-started.Done()
	}
	ended()
	monitor.Close()
	_ = group.Wait() // what they say is that QEMU has ended
}

// obey does what the relay of the serial port asks for.
func (l *launch) obey(ctx context.Context, monitor *qmp.Client, order string) {
	if order != ctl.OrderBreak {
		return
	}
	id := struct {
		ID string `json:"id"`
	}{qemu.SerialChardev}
	if err := monitor.Execute(ctx, "chardev-send-break", id, nil); err != nil {
		l.log("serial: break: %v", err)
	}
}
