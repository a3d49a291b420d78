// Package channel is one of QEMU's channels on this host, as a persistent relay
// serves it: its folder and its lock, its journal, its endpoints in a public
// directory, and the seat on which one VM sits.
//
// Invariants:
//   - The endpoints are there before, between and after VMs, as long as Run runs;
//     the FIFOs and the journal stay when it has ended.
//   - One VM at a time sits on the channel, exactly as long as its QEMU lives.
//   - A relay that is killed goes on where its files end: what QEMU has written
//     meanwhile waits in the FIFO, whose other end QEMU, or the service manager,
//     keeps open.
package channel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guard"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
)

// Config is what a channel works with.
type Config struct {
	Name     string
	Settings settings.Settings
	// Keeper keeps descriptors over a crash. The zero Keeper keeps none.
	Keeper Keeper
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
	relay   *relay.Relay
	pty     string // the terminal's name
	ptyLink string // what the public link points to: see targetOf
	stream  *journal.Journal
	control net.Listener
	orders  orders

	opened  sync.Mutex   // held while one of these is looked at or replaced
	socket  net.Listener // the public one; nil: it could not be made
	portErr error        // why the port could not be opened

	seat   sync.Mutex // held while it is looked who sits there, and while a boot is marked
	byHand bool       // a QEMU that was started by hand sits there
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

// open opens what there is to a channel. On an error nothing is left open.
func (c *Channel) open(declared settings.Channel) error {
	stream, err := c.openJournal()
	if err != nil {
		return err
	}
	e, err := c.openEndpoints()
	if err == nil {
		c.stream = stream
		c.relay, err = relay.New(relay.Config{
			Dir:        c.dir.Path(),
			Journal:    stream,
			Listeners:  e.listeners,
			Socket:     c.public.Socket,
			In:         c.public.In,
			Out:        c.public.Out,
			PTY:        e.pty,
			Drops:      !settings.BuiltIn(c.config.Name), // serial ports and the like wait
			OutputOnly: !declared.Input,
			OwnBoots:   true,
		})
		if err != nil {
			e.close()
			c.unlinkPTY()
		}
	}
	if err != nil {
		return errors.Join(err, stream.Close())
	}
	err = c.config.Keeper.keepPair(c.dir.Name(), relay.VMPath(c.dir.Path()))
	if err == nil {
		c.control, err = ctl.Listen(c.dir.Ctl())
	}
	if err != nil {
		c.relay.Abandon()
		c.unlinkPTY()
		return err
	}
	return nil
}

// openJournal opens the channel's stream, and has the .log link follow it.
func (c *Channel) openJournal() (*journal.Journal, error) {
	dir, err := c.dir.Journal()
	if err != nil {
		return nil, err
	}
	stream, err := journal.Open(dir, journal.Retention{
		Bytes: int64(c.config.Settings.RetentionMiB) << 20,
		Boots: c.config.Settings.Boots,
	})
	if err != nil {
		return nil, err
	}
	if err := c.linkLog(stream); err != nil && !isForeign(err) {
		return nil, errors.Join(err, stream.Close())
	}
	return stream, nil
}

// linkLog has the .log link point to the newest segment, now and from now on.
func (c *Channel) linkLog(stream *journal.Journal) error {
	var linked error // of now
	stream.OnSegment(func(path string) { linked = rundir.Link(path, c.public.Log) })
	return linked
}

// Run serves the channel until ctx ends, its relay fails, or somebody has removed its
// private files, and no VM is there. When it returns, nothing of it runs any more.
func (c *Channel) Run(ctx context.Context) error {
	defer c.lock.Close()
	seat, err := c.watchSeat()
	var names *relay.Opens
	if err == nil {
		defer seat.Close()
		names, err = relay.WatchOpens()
	}
	if err != nil {
		c.relay.Abandon()
		c.control.Close()
		return err
	}
	defer names.Close()
	c.look(true) // before a byte is taken: it may be of a machine that is there
	group, ctx := errgroup.WithContext(ctx)
	serving, quiet := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer quiet()
		defer c.orders.end()
		return c.relay.Run()
	})
	serve := func(control net.Listener) {
		group.Go(func() error { return ctl.Serve(serving, control, c.handlers()) })
	}
	serve(c.control)
	group.Go(func() error { return c.tend(ctx, names, serve) })
	group.Go(func() error {
		c.followSeat(ctx, seat)
		c.orders.end() // from now on there is no boot
		c.relay.Finish()
		return nil
	})
	err = group.Wait()
	c.config.Keeper.forget(c.dir.Name() + socketName)
	c.unlinkPTY()
	if err != nil {
		return fmt.Errorf("channel %q: %w", c.dir.Name(), err)
	}
	return nil
}

// Abandon closes a channel that is not run.
func (c *Channel) Abandon() {
	c.relay.Abandon()
	c.control.Close()
	c.unlinkPTY()
	c.lock.Close()
}

// targetOf returns what the public link to a terminal points to. The host gives the name
// of a terminal that has gone to another one. So a service points to a link in a folder
// of its own that its manager removes with it, however it ends (systemd.exec(5),
// RuntimeDirectory=). Others point to the terminal.
func (c *Channel) targetOf(terminal string) string {
	dir := os.Getenv("RUNTIME_DIRECTORY")
	if !filepath.IsAbs(dir) || strings.Contains(dir, ":") { // none, or several
		return terminal
	}
	return filepath.Join(dir, c.dir.Name()+".pty")
}

// linkPTY makes the links to the terminal.
func (c *Channel) linkPTY() error {
	if c.ptyLink != c.pty {
		if err := rundir.Link(c.pty, c.ptyLink); err != nil {
			return err
		}
	}
	return rundir.Link(c.ptyLink, c.public.PTY)
}

// unlinkPTY removes the links to the terminal, which has gone. What else may have a link's
// name is left alone.
func (c *Channel) unlinkPTY() {
	for name, target := range map[string]string{c.public.PTY: c.ptyLink, c.ptyLink: c.pty} {
		if found, err := os.Readlink(name); err == nil && found == target {
			_ = os.Remove(name) // it may have been removed
		}
	}
}

// Status is the channel as it is now.
func (c *Channel) Status() ctl.Status {
	missing, trouble := c.missing()
	var why map[string]string
	for name, err := range trouble {
		if why == nil {
			why = map[string]string{}
		}
		why[name] = reason(err)
	}
	return ctl.Status{
		Name:    c.dir.Name(),
		State:   ctl.Relaying,
		PID:     os.Getpid(),
		Started: c.started,
		Consoles: []ctl.Console{{
			Name:    c.dir.Name(),
			Device:  "-" + c.dir.Name(),
			Port:    c.tcp,
			Refused: c.port.Refusals(),
			Endpoints: map[string]string{
				"in": c.public.In, "out": c.public.Out, "sock": c.public.Socket, "pty": c.public.PTY, "log": c.public.Log,
			},
			Missing: missing,
			Trouble: why,
			Relay:   c.relay.Status(),
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
