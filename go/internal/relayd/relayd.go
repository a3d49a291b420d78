// Package relayd serves one of QEMU's channels on this host persistently: its folder and
// its lock, its journal, its endpoints in a public directory, and the lock of the one VM
// that is attached.
//
// Invariants:
//   - The endpoints exist before, between and after VMs, as long as Run runs. The FIFOs
//     and the journal remain after it has ended.
//   - At most one VM is attached to the channel, exactly as long as its QEMU lives.
//   - After a relay is killed, the next one continues where its files end. Meanwhile
//     QEMU's output stays in the FIFO, which QEMU or the service manager keeps open.
package relayd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/console"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/guard"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
	"microvm-console/internal/state"
	"microvm-console/internal/unixsock"
)

// Config configures a channel.
type Config struct {
	Name     string
	Settings settings.Settings
	// Store keeps descriptors across a crash.
	Store FDStore
	// Log, if not nil, is called with a line when a QEMU attaches or detaches.
	Log func(line string)
}

// Channel is an open channel. Use Open to open it. Run can be called once.
type Channel struct {
	config  Config
	dir     rundir.Channel
	tcp     int // 0 if none
	port    guard.Port
	started time.Time
	lock    *rundir.Lock
	console *console.Console
	control net.Listener
	orders  chan string     // requests to the launcher
	ending  context.Context // canceled when no boot can begin any more
	end     context.CancelFunc

	attaching sync.Mutex // held during a scan for QEMUs, and while a boot is begun
	byHand    bool       // a QEMU that was started by hand is attached
}

// Open takes the channel's lock and opens its endpoints. An endpoint whose name belongs
// to a foreign file is left out: Trouble returns the reason, and Run tries again. Open
// returns rundir.ErrLocked if another relay serves the channel. The caller must call Run
// or Abandon.
func Open(config Config) (*Channel, error) {
	declared, err := config.Settings.Channel(config.Name)
	if err != nil {
		return nil, err
	}
	c := &Channel{
		config:  config,
		dir:     rundir.OfChannel(config.Name),
		tcp:     declared.TCP,
		port:    guard.Port{Shared: declared.Shared},
		started: time.Now(),
		orders:  make(chan string),
	}
	c.ending, c.end = context.WithCancel(context.Background())
	if c.lock, err = c.dir.Acquire(); err != nil {
		return nil, err
	}
	if err := c.open(declared); err != nil {
		c.Abandon()
		return nil, fmt.Errorf("channel %q: %w", config.Name, err)
	}
	return c, nil
}

// open opens the console and the control socket.
func (c *Channel) open(declared settings.Channel) error {
	dir, err := c.dir.Journal()
	if err != nil {
		return err
	}
	c.console, err = console.Open(console.Config{
		Dir:     c.dir.Path(),
		Journal: dir,
		Retention: journal.Retention{
			Bytes: int64(c.config.Settings.RetentionMiB) << 20,
			Boots: c.config.Settings.Boots,
		},
		Relay: relay.Config{
			Drops:      !settings.BuiltIn(c.config.Name), // the built-in channels wait
			OutputOnly: !declared.Input,
			OwnBoots:   true,
		},
	})
	if err != nil {
		return err
	}
	for _, slot := range c.slots() {
		if err := c.console.Add(slot); err != nil {
			return err
		}
	}
	for _, end := range []string{".out", ".in"} {
		if err := c.config.Store.keepFIFO(c.dir.Name()+".vm"+end, relay.VMPath(c.dir.Path())+end); err != nil {
			return err
		}
	}
	control, err := unixsock.Listen(c.dir.Ctl())
	if err != nil {
		return err
	}
	c.control = control
	c.scan(endedUnseen)
	return nil
}

// Run serves the channel until ctx is done, its relay fails, or its private files are
// removed while no VM is attached. When Run returns, everything it started has ended.
func (c *Channel) Run(ctx context.Context) error {
	defer c.lock.Close()
	vm, err := c.watchVM()
	if err != nil {
		c.Abandon()
		return err
	}
	defer vm.Close()
	c.scan(ended) // before the relay takes output, which may be that of a QEMU already attached
	group, ctx := errgroup.WithContext(ctx)
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer stopServing()
		defer c.end()
		return c.console.Run()
	})
	serve := func(control net.Listener) {
		group.Go(func() error { return server.Serve(serving, control, c.handlers()) })
	}
	serve(c.control)
	group.Go(func() error { return c.keepFiles(ctx, serve) })
	group.Go(func() error {
		c.followVM(ctx, vm)
		c.scan(ended) // a launcher may end its relay immediately after its QEMU
		c.end()
		c.console.Relay().Finish()
		return nil
	})
	err = group.Wait()
	c.config.Store.forget(c.socketName())
	if err != nil {
		return fmt.Errorf("channel %q: %w", c.dir.Name(), err)
	}
	return nil
}

// Abandon closes a channel for which Run is not called.
func (c *Channel) Abandon() {
	if c.console != nil {
		c.console.Abandon()
	}
	if c.control != nil {
		c.control.Close()
	}
	c.lock.Close()
}

// Status returns the current status of the channel.
func (c *Channel) Status() state.Machine {
	var missing []string
	why := map[string]string{}
	for _, m := range c.console.Missing() {
		missing = append(missing, m.Name)
		foreign := (*rundir.ForeignError)(nil)
		switch {
		case errors.As(m.Err, &foreign):
			why[m.Name] = foreign.Why // without the path, which the caller has
		case m.Err != nil:
			why[m.Name] = m.Err.Error()
		}
	}
	public, relayed := c.public(), c.console.Relay().Status()
	relayed.Socket = public.Socket
	return state.Machine{
		Name:    c.dir.Name(),
		State:   state.Relaying,
		PID:     os.Getpid(),
		Started: c.started,
		Consoles: []state.Console{{
			Name:    c.dir.Name(),
			Device:  c.config.Settings.Option(c.dir.Name()),
			Port:    c.tcp,
			Refused: c.port.Refusals(),
			Endpoints: map[string]string{
				"in": public.In, "out": public.Out, "sock": public.Socket, "pty": public.PTY, "log": public.Log,
			},
			Missing: missing,
			Trouble: why,
			Relay:   relayed,
		}},
	}
}
