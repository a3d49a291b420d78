// Package relayd is one of QEMU's channels on this host, as a persistent relay
// serves it: its folder and its lock, its journal, its endpoints in a public
// directory, and the lock of the one VM that is attached.
//
// Invariants:
//   - The endpoints are there before, between and after VMs, as long as Run runs;
//     the FIFOs and the journal stay when it has ended.
//   - One VM at a time is attached to the channel, exactly as long as its QEMU lives.
//   - A relay that is killed goes on where its files end: what QEMU has written
//     meanwhile waits in the FIFO, whose other end QEMU, or the service manager,
//     keeps open.
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

// Config is what a channel works with.
type Config struct {
	Name     string
	Settings settings.Settings
	// Keeper keeps descriptors over a crash. The zero Keeper keeps none.
	Keeper Keeper
	// Log is called with a line when a QEMU comes or goes. nil: it is not.
	Log func(line string)
}

// Channel is one channel, open. Open makes it, Run runs it once.
type Channel struct {
	config  Config
	dir     rundir.Channel
	public  rundir.Public
	tcp     int // 0: none
	port    guard.Port
	started time.Time
	lock    *os.File
	console *console.Console
	control net.Listener
	orders  *orders

	attaching sync.Mutex // held while it is looked whether a QEMU is there, and while a boot is marked
	byHand    bool       // a QEMU that was started by hand is there
}

// Open takes the channel's lock and opens its endpoints. An endpoint whose name belongs to
// another file is left out: Trouble returns why, and Run tries again. rundir.ErrLocked is
// returned if another relay serves the channel. The caller calls Run.
func Open(config Config) (*Channel, error) {
	declared, err := config.Settings.Channel(config.Name)
	if err != nil {
		return nil, err
	}
	c := &Channel{
		config:  config,
		dir:     rundir.OfChannel(config.Name),
		public:  rundir.PublicOf(config.Settings.Directory, config.Name),
		tcp:     declared.TCP,
		port:    guard.Port{Shared: declared.Shared},
		started: time.Now(),
		orders:  &orders{},
	}
	if c.lock, err = c.dir.Acquire(); err != nil {
		return nil, err
	}
	if err := c.open(declared); err != nil {
		c.lock.Close()
		return nil, fmt.Errorf("channel %q: %w", config.Name, err)
	}
	return c, nil
}

// open opens the console and the control socket. On an error nothing is left open.
func (c *Channel) open(declared settings.Channel) (err error) {
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
			Reserved:   2,                                // the FIFO and the terminal
			Drops:      !settings.BuiltIn(c.config.Name), // serial ports and the like wait
			OutputOnly: !declared.Input,
			OwnBoots:   true,
		},
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			c.console.Abandon()
		}
	}()
	for _, slot := range c.slots() {
		if err := c.console.Add(slot); err != nil {
			return err
		}
	}
	if err := c.config.Keeper.keepPair(c.dir.Name(), relay.VMPath(c.dir.Path())); err != nil {
		return err
	}
	c.control, err = unixsock.Listen(c.dir.Ctl())
	return err
}

// Run serves the channel until ctx ends, its relay fails, or somebody has removed its
// private files, and no VM is there. When it returns, nothing of it runs any more.
func (c *Channel) Run(ctx context.Context) error {
	defer c.lock.Close()
	vm, names, err := c.watch()
	if err != nil {
		c.console.Abandon()
		c.control.Close()
		return err
	}
	defer vm.Close()
	defer names.Close()
	c.look(true) // before a byte is taken: it may be of a machine that is there
	group, ctx := errgroup.WithContext(ctx)
	serving, quiet := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer quiet()
		defer c.orders.end()
		return c.console.Run()
	})
	serve := func(control net.Listener) {
		group.Go(func() error { return server.Serve(serving, control, c.handlers()) })
	}
	serve(c.control)
	group.Go(func() error { return c.tend(ctx, names, serve) })
	group.Go(func() error {
		c.followVM(ctx, vm)
		c.orders.end() // from now on there is no boot
		c.console.Relay().Finish()
		return nil
	})
	err = group.Wait()
	c.config.Keeper.forget(c.dir.Name() + socketName)
	if err != nil {
		return fmt.Errorf("channel %q: %w", c.dir.Name(), err)
	}
	return nil
}

// Abandon closes a channel that is not run.
func (c *Channel) Abandon() {
	c.console.Abandon()
	c.control.Close()
	c.lock.Close()
}

// Status returns the channel as it is now.
func (c *Channel) Status() state.Machine {
	missing, trouble := c.console.Missing()
	var why map[string]string
	for name, err := range trouble {
		if why == nil {
			why = map[string]string{}
		}
		why[name] = reason(err)
	}
	relayed := c.console.Relay().Status()
	relayed.Socket = c.public.Socket
	return state.Machine{
		Name:    c.dir.Name(),
		State:   state.Relaying,
		PID:     os.Getpid(),
		Started: c.started,
		Consoles: []state.Console{{
			Name:    c.dir.Name(),
			Device:  settings.Option(c.dir.Name()),
			Port:    c.tcp,
			Refused: c.port.Refusals(),
			Endpoints: map[string]string{
				"in": c.public.In, "out": c.public.Out, "sock": c.public.Socket, "pty": c.public.PTY, "log": c.public.Log,
			},
			Missing: missing,
			Trouble: why,
			Relay:   relayed,
		}},
	}
}

// reason is why an endpoint cannot be made, without its name.
func reason(err error) string {
	if foreign := (*rundir.ForeignError)(nil); errors.As(err, &foreign) {
		return foreign.Why
	}
	return err.Error()
}
