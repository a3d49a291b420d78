package relayd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/openers"
	"microvm-console/internal/relay"
)

// watch watches for QEMUs that come and go on the VM side: by the VM's lock, which one
// that a launcher of ours has started holds, and by the FIFO, which one opens that was
// started by hand on VMPath. names is a watch of nothing yet. The caller closes both.
func (c *Channel) watch() (vm, names *openers.Watch, err error) {
	file, err := os.OpenFile(c.dir.VMLock(), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, nil, err
	}
	file.Close()
	if names, err = openers.NewWatch(); err != nil {
		return nil, nil, err
	}
	if vm, err = openers.NewWatch(); err != nil {
		names.Close()
		return nil, nil, err
	}
	err = errors.Join(
		vm.Add(c.dir.VMLock(), unix.IN_CLOSE_WRITE),
		vm.Add(c.vmOut(), unix.IN_OPEN|unix.IN_CLOSE_WRITE),
	)
	if err != nil {
		names.Close()
		vm.Close()
		return nil, nil, err
	}
	return vm, names, nil
}

// holders returns the QEMUs that have the FIFO open that QEMU prints to.
func (c *Channel) holders() []int {
	holders, _ := openers.HoldersAt(c.vmOut())
	return holders
}

// vmOut is the FIFO that QEMU prints to.
func (c *Channel) vmOut() string { return relay.VMPath(c.dir.Path()) + ".out" }

// settle is when it is looked again behind an event: a process that opens a file
// is seen to have it open only a moment later.
var settle = []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second}

// followVM notes machines that come and go, until ctx ends. To one
// that was started by hand nothing is typed that was typed before it was seen.
func (c *Channel) followVM(ctx context.Context, events *openers.Watch) {
	for {
		happened, err := events.Wait(ctx)
		if err != nil {
			return
		}
		c.look(happened&unix.IN_CLOSE_WRITE != 0)
		for _, pause := range settle {
			if happened, err = c.waitLimited(ctx, events, pause); ctx.Err() != nil {
				return
			}
			c.look(err == nil && happened&unix.IN_CLOSE_WRITE != 0)
		}
	}
}

// waitLimited is events.Wait with a time limit.
func (c *Channel) waitLimited(ctx context.Context, events *openers.Watch, limit time.Duration) (uint32, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return events.Wait(limited)
}

// look finds out whether a QEMU is there. closed is set if one may have gone.
func (c *Channel) look(closed bool) {
	c.attaching.Lock()
	defer c.attaching.Unlock()
	locked := c.dir.HasVM()
	byHand := !locked && len(c.holders()) > 0
	if byHand && !c.byHand {
		_ = c.console.DropInput() // a FIFO that cannot be emptied fails its reader too
	}
	c.byHand = byHand
	if closed && !locked && !byHand {
		c.console.Relay().EndBoot("QEMU ended") // unless it is known better
		c.console.Relay().Gone()                // before status shows it: the next one may start then
	}
	c.setAttached(locked || byHand)
}

// setAttached notes whether a QEMU is there, or about to start. The caller holds c.attaching.
func (c *Channel) setAttached(attached bool) {
	if !c.console.Relay().SetAttached(attached) {
		return
	}
	what := "a QEMU has come"
	switch {
	case !attached:
		what = "the QEMU has gone"
	case c.byHand:
		what = "a QEMU that was started by hand has come"
	}
	if c.config.Log != nil {
		c.config.Log(c.dir.Name() + ": " + what)
	}
}

// Boot makes the channel ready for a QEMU that is about to start, and returns
// the number of its boot. The process that asks holds the VM's lock.
func (c *Channel) Boot() (int, error) {
	c.attaching.Lock() // who has looked before must not tell the relay behind it
	defer c.attaching.Unlock()
	if !c.dir.HasVM() {
		return 0, fmt.Errorf("channel %q: no process holds the VM's lock (lock %s first)", c.dir.Name(), c.dir.VMLock())
	}
	if holders := c.holders(); len(holders) > 0 {
		return 0, fmt.Errorf("channel %q: a QEMU that was started by hand is attached (pid %d; stop it first)", c.dir.Name(), holders[0])
	}
	number, err := c.console.Boot()
	switch {
	case c.orders.over():
		return 0, ctl.ErrEnding
	case err != nil:
		return 0, err
	}
	c.setAttached(true)
	return number, nil
}

// handlers are what the control socket does. A channel has one console: its
// name in a request is not looked at.
func (c *Channel) handlers() server.Handlers {
	h := server.OfRelays(func(string) (*relay.Relay, error) { return c.console.Relay(), nil })
	h.Status, h.Orders = c.Status, c.Orders
	h.Break = func(context.Context, string) error { return c.Order(ctl.OrderBreak) }
	h.Boot = func(context.Context) (int, error) { return c.Boot() }
	h.NoteRestart, h.EndBoot = c.console.Relay().NoteRestart, c.console.Relay().EndBoot
	return h
}

// orders are those to the launchers of a channel's QEMU, of which there is one
// as a rule.
type orders struct {
	mu        sync.Mutex
	launchers map[chan string]bool
	ended     bool
}

// end has the launchers go: a control socket waits for who is still there.
func (o *orders) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for launcher := range o.launchers {
		close(launcher)
	}
	o.launchers, o.ended = nil, true
}

// over tells whether the channel is ending.
func (o *orders) over() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

// Orders returns the orders to a launcher, until ctx ends; it is closed where the
// channel ends.
func (c *Channel) Orders(ctx context.Context) <-chan string {
	launcher := make(chan string, 1)
	c.orders.mu.Lock()
	defer c.orders.mu.Unlock()
	if c.orders.ended {
		close(launcher)
		return launcher
	}
	if c.orders.launchers == nil {
		c.orders.launchers = map[chan string]bool{}
	}
	c.orders.launchers[launcher] = true
	context.AfterFunc(ctx, func() {
		c.orders.mu.Lock()
		defer c.orders.mu.Unlock()
		delete(c.orders.launchers, launcher)
	})
	return launcher
}

// Order gives an order to the launcher. It is an error where there is none, or
// where it has not obeyed the last one yet.
func (c *Channel) Order(order string) error {
	c.orders.mu.Lock()
	defer c.orders.mu.Unlock()
	given := false
	for launcher := range c.orders.launchers {
		select {
		case launcher <- order:
			given = true
		default:
		}
	}
	if !given {
		return fmt.Errorf("channel %q: no QEMU that run-qemu started is attached", c.dir.Name())
	}
	return nil
}
