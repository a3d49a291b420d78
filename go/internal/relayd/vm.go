package relayd

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/openers"
	"microvm-console/internal/relay"
)

// vmOut returns the path of the FIFO that QEMU prints to.
func (c *Channel) vmOut() string { return relay.VMPath(c.dir.Path()) + ".out" }

// watchVM watches for QEMUs that attach and detach: by the VM lock, which a QEMU inherits
// from a launcher, and by the FIFO, which every QEMU opens. The caller must close the
// watch.
func (c *Channel) watchVM() (*openers.Watch, error) {
	file, err := os.OpenFile(c.dir.VMLock(), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	file.Close()
	events, err := openers.NewWatch()
	if err != nil {
		return nil, err
	}
	for path, which := range map[string]uint32{c.dir.VMLock(): unix.IN_CLOSE_WRITE, c.vmOut(): unix.IN_OPEN | unix.IN_CLOSE_WRITE} {
		if err := events.Add(path, which); err != nil {
			events.Close()
			return nil, err
		}
	}
	return events, nil
}

// rescanDelays are the pauses before each scan of /proc after an event. inotify(7)
// reports an open before /proc shows the descriptor.
var rescanDelays = []time.Duration{0, 10 * time.Millisecond, 100 * time.Millisecond, time.Second}

// followVM scans for QEMUs after each event until ctx is done.
func (c *Channel) followVM(ctx context.Context, events *openers.Watch) {
	for {
		happened, err := events.Wait(ctx)
		if err != nil {
			return
		}
		for _, pause := range rescanDelays {
			more, _ := events.WaitLimited(ctx, pause)
			if ctx.Err() != nil {
				return
			}
			how := ""
			if (happened|more)&unix.IN_CLOSE_WRITE != 0 {
				how = ended
			}
			c.scan(how)
			happened = 0
		}
	}
}

// The exit causes that are recorded if no better one is known.
const (
	ended       = "QEMU ended"
	endedUnseen = "QEMU ended while no relay ran"
)

// scan checks whether a QEMU is attached. how is the exit cause of a QEMU that may have
// ended; "" if none has.
func (c *Channel) scan(how string) {
	c.attaching.Lock()
	defer c.attaching.Unlock()
	boots := c.console.Relay().Journal()
	before := boots.BootNumber()
	launched := c.dir.HasVM()
	holders, _ := openers.HoldersAt(c.vmOut())
	byHand := !launched && len(holders) > 0
	if byHand && !c.byHand { // earlier input is not meant for this QEMU
		_ = c.console.DropInput() // if it fails, the reader of the FIFO fails too
	}
	if c.byHand && !byHand && how == "" { // its last event has not arrived yet
		how = ended
	}
	c.byHand = byHand
	// A QEMU that attached during the search for holders may have begun a boot.
	if how != "" && !launched && !byHand && boots.BootNumber() == before {
		c.console.Relay().EndBoot(how)
		c.console.Relay().Gone() // before the status shows it, because the next VM may start then
	}
	switch {
	case launched:
		c.setAttached(true, "QEMU attached")
	case byHand:
		c.setAttached(true, "QEMU attached (started by hand)")
	default:
		c.setAttached(false, "QEMU detached")
	}
}

// setAttached records whether a QEMU is attached or about to start, and logs event if
// that changed. The caller holds c.attaching.
func (c *Channel) setAttached(attached bool, event string) {
	if c.console.Relay().SetAttached(attached) && c.config.Log != nil {
		c.config.Log(c.dir.Name() + ": " + event)
	}
}

// Boot prepares the channel for a QEMU that is about to start, and returns the number of
// its boot. The process that requests it must hold the VM lock. Boot returns
// ctl.ErrEnding if the relay is about to end.
func (c *Channel) Boot() (int, error) {
	c.attaching.Lock() // a scan that began earlier must not overwrite the state later
	defer c.attaching.Unlock()
	if !c.dir.HasVM() {
		return 0, fmt.Errorf("channel %q: no process holds the VM lock (lock %s first)", c.dir.Name(), c.dir.VMLock())
	}
	if holders, _ := openers.HoldersAt(c.vmOut()); len(holders) > 0 {
		return 0, fmt.Errorf("channel %q: a QEMU started by hand is attached (pid %d; stop it first)", c.dir.Name(), holders[0])
	}
	number, err := c.console.Boot()
	if c.ending.Err() != nil {
		return 0, ctl.ErrEnding
	}
	if err != nil {
		return 0, err
	}
	c.setAttached(true, "QEMU attached")
	return number, nil
}

// handlers returns the handlers of the control socket. A channel has one console, so the
// console name in a request is ignored.
func (c *Channel) handlers() server.Handlers {
	h := server.OfRelays(func(string) (*relay.Relay, error) { return c.console.Relay(), nil })
	h.Status, h.Break, h.NextOrder = c.Status, c.Break, c.NextOrder
	h.Boot = func(context.Context) (int, error) { return c.Boot() }
	h.NoteRestart, h.EndBoot = c.console.Relay().NoteRestart, c.console.Relay().EndBoot
	return h
}

// NextOrder waits for the next request to the launcher of the channel's QEMU. It returns
// ctl.ErrEnding when the channel ends.
func (c *Channel) NextOrder(ctx context.Context) (string, error) {
	select {
	case order := <-c.orders:
		return order, nil
	case <-c.ending.Done():
		return "", ctl.ErrEnding
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// orderLimit is how long a launcher may take to accept a request: it may still be
// connecting, or handling the previous one.
const orderLimit = time.Second

// Break asks the launcher of the channel's QEMU to send a break on the line.
func (c *Channel) Break(ctx context.Context, _ string) error {
	limit, cancel := context.WithTimeout(ctx, orderLimit)
	defer cancel()
	if !c.dir.HasVM() {
		cancel()
	}
	select {
	case c.orders <- ctl.OrderBreak:
		return nil
	case <-c.ending.Done():
	case <-limit.Done():
	}
	return fmt.Errorf("channel %q: no QEMU started by run-qemu is attached", c.dir.Name())
}
