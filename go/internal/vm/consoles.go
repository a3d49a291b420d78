package vm

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/console"
	"microvm-console/internal/endpoint"
	"microvm-console/internal/guard"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vmconfig"
)

// ErrNoConsole is returned if a VM has no console of a name, or no relay for it.
var ErrNoConsole = errors.New("is not served here")

// consoles are the consoles of a VM that have a journal and a relay.
type consoles struct {
	declared   []vmconfig.Console // those of vm.json
	dir        rundir.Machine
	journalDir func(console string) (string, error)
	noRelay    bool              // none is opened
	refused    func(text string) // is called with a note for each client that was refused
	seatMoved  func()            // see relay.Config
	group      errgroup.Group    // runs them

	mu     sync.Mutex
	opened []openConsole // in the order of declared; fewer while the VM starts
}

type openConsole struct {
	*console.Console
	port *guard.Port
}

// open opens the consoles with their listeners, marks a boot on each, and runs them until
// finish. declared are those of vm.json, with the ports in use. On an error the listeners
// are closed; the consoles that were opened run on.
func (cs *consoles) open(declared []vmconfig.Console, listeners [][]net.Listener) error {
	for i, d := range declared {
		if err := cs.openOne(d, listeners[i]); err != nil {
			closePorts(listeners[i:])
			return fmt.Errorf("console %q: %w", d.Name, err)
		}
	}
	return nil
}

func (cs *consoles) openOne(declared vmconfig.Console, listeners []net.Listener) error {
	dir, err := cs.journalDir(declared.Name)
	if err != nil {
		return err
	}
	folder := cs.dir.Console(declared.Name)
	c, err := console.Open(console.Config{
		Dir: folder, Journal: dir, Retention: journal.DefaultRetention,
		Relay: relay.Config{Drops: !declared.IsSerial(), SeatMoved: cs.seatMoved},
	})
	if err != nil {
		return err
	}
	port := &guard.Port{Shared: declared.Shared, OnRefusal: func(reason string) {
		cs.refused(fmt.Sprintf("%s: port %d refused %s", declared.Name, declared.Port, reason))
	}}
	for _, slot := range []console.Slot{
		{Name: "port", Open: func() (console.Endpoint, error) { return endpoint.Listeners(port.Guard(listeners)), nil }},
		{Name: rundir.Socket(folder), Open: func() (console.Endpoint, error) { return endpoint.ListenUnix(rundir.Socket(folder)) }},
	} {
		if err := c.Add(slot); err != nil {
			c.Abandon()
			return err
		}
	}
	if _, err := c.Boot(); err != nil {
		c.Abandon()
		return err
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.opened = append(cs.opened, openConsole{c, port})
	cs.group.Go(c.Run)
	return nil
}

// finish records how the VM has ended, and has the consoles end: nothing more will be
// printed.
func (cs *consoles) finish(how string) {
	for _, c := range cs.all() {
		c.Relay().EndBoot(how)
		c.Relay().SetAttached(false)
		c.Relay().Finish()
	}
}

// all returns the consoles that are open: in the order of vm.json, fewer while the VM starts.
func (cs *consoles) all() []openConsole {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.opened
}

// relay returns the relay of the console called name, or ErrNoConsole.
func (cs *consoles) relay(name string) (*relay.Relay, error) {
	at, err := cs.find(name)
	if err != nil {
		return nil, err
	}
	if cs.noRelay {
		return nil, fmt.Errorf("console %q: %w but by QEMU itself (start without --no-relay)", name, ErrNoConsole)
	}
	opened := cs.all()
	if at >= len(opened) {
		return nil, fmt.Errorf("console %q: %w yet (wait until the VM has started)", name, ErrNoConsole)
	}
	return opened[at].Relay(), nil
}

// find returns the place of the console called name in vm.json, or ErrNoConsole.
func (cs *consoles) find(name string) (int, error) {
	var names []string
	for i, declared := range cs.declared {
		if declared.Name == name {
			return i, nil
		}
		names = append(names, declared.Name)
	}
	return 0, fmt.Errorf("console %q: %w (choose one of %s)", name, ErrNoConsole, strings.Join(names, ", "))
}
