package vm

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/console"
	"microvm-console/internal/endpoint"
	"microvm-console/internal/guard"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/suggest"
	"microvm-console/internal/vmconfig"
)

// ErrNoConsole is returned if a VM has no console with a name, or no relay for it.
var ErrNoConsole = errors.New("not available")

// consoles are the consoles of a VM that have a journal and a relay.
type consoles struct {
	declared   []vmconfig.Console // those of vm.json
	dir        rundir.Machine
	journalDir func(console string) (string, error)
	noRelay    bool              // no console is opened
	refused    func(text string) // called with a note for each client that was refused
	seatMoved  func()            // see relay.Config
	group      errgroup.Group    // runs the consoles

	mu     sync.Mutex
	opened []openConsole // in the order of declared; fewer while the VM starts
}

type openConsole struct {
	*console.Console
	port *guard.Port
}

// open opens the consoles with their listeners, starts a boot on each, and runs them until
// finish. declared are the consoles of vm.json, with the ports in use. If it returns an error,
// it has closed the remaining listeners; consoles that were opened continue to run.
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
	if err := cs.dir.OpenToGroup(folder, dir); err != nil {
		return err
	}
	c, err := console.Open(console.Config{
		Dir: folder, Journal: dir, Retention: journal.DefaultRetention,
		Relay: relay.Config{Drops: declared.IsVirtio(), OutputOnly: declared.OnlyPrints(), SeatMoved: cs.seatMoved},
	})
	if err != nil {
		return err
	}
	port := &guard.Port{Shared: declared.Shared, OnRefusal: func(reason string) {
		cs.refused(fmt.Sprintf("%s: port %d refused %s", declared.Name, declared.Port, reason))
	}}
	for _, slot := range []console.Slot{
		{Name: "port", Open: func() (console.Endpoint, error) { return endpoint.Listeners(port.Guard(listeners)), nil }},
		{Name: rundir.Socket(folder), Open: func() (console.Endpoint, error) {
			return endpoint.ListenUnix(rundir.Socket(folder), cs.dir.Mode(0o600))
		}},
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

// finish records how the VM has ended, and ends the consoles once their clients have all output.
func (cs *consoles) finish(how string) {
	for _, c := range cs.all() {
		c.Relay().EndBoot(how)
		c.Relay().SetAttached(false)
		c.Relay().Finish()
	}
}

// all returns the open consoles in the order of vm.json; some are missing while the VM starts.
func (cs *consoles) all() []openConsole {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.opened
}

// relay returns the relay of the console with a name, or ErrNoConsole.
func (cs *consoles) relay(name string) (*relay.Relay, error) {
	at, err := cs.find(name)
	if err != nil {
		return nil, err
	}
	if cs.noRelay {
		return nil, fmt.Errorf("console %q: %w with --no-relay: QEMU serves it", name, ErrNoConsole)
	}
	opened := cs.all()
	if at >= len(opened) {
		return nil, fmt.Errorf("console %q: %w yet: the VM is starting", name, ErrNoConsole)
	}
	return opened[at].Relay(), nil
}

// find returns the index in vm.json of the console with a name, or ErrNoConsole.
func (cs *consoles) find(name string) (int, error) {
	var names []string
	for i, declared := range cs.declared {
		if declared.Name == name {
			return i, nil
		}
		names = append(names, declared.Name)
	}
	return 0, fmt.Errorf("console %q: %w%s", name, ErrNoConsole, suggest.HintOrKnown(name, names))
}
