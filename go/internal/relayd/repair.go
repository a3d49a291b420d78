package relayd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"

	"microvm-console/internal/openers"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/unixsock"
)

const (
	// repairDelay is how long after a file was removed the endpoints are made again: a
	// user may be removing the others too, and their folder.
	repairDelay = time.Second
	// maxRetryDelay bounds the pause before another attempt, which doubles each time.
	maxRetryDelay = 30 * time.Second
)

// endpoints returns the paths of the endpoints.
func (c *Channel) endpoints() []string {
	public := c.public()
	return []string{public.In, public.Out, public.Socket, public.PTY, public.Log}
}

// private returns the paths of what QEMU plugs into, and of the locks.
func (c *Channel) private() []string {
	vm := relay.VMPath(c.dir.Path())
	return []string{vm + ".in", vm + ".out", c.dir.Lock(), c.dir.VMLock()}
}

// Trouble returns why endpoints of the channel could not be made; nil if all are there, or
// will be in a moment.
func (c *Channel) Trouble() error {
	var errs *multierror.Error
	for _, missing := range c.console.Missing() {
		errs = multierror.Append(errs, missing.Err)
	}
	return errs.ErrorOrNil()
}

func gone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}

// keepFiles touches the files now and again, and makes missing endpoints and the control
// socket again, until ctx ends. serve serves another control socket.
//
// The private files are not made again: a QEMU that is attached keeps those it has, and
// the locks keep other relays out. Once no QEMU is attached, their loss is an error: the
// next relay makes all of them.
func (c *Channel) keepFiles(ctx context.Context, serve func(net.Listener)) error {
	events, err := openers.NewWatch()
	if err != nil {
		return err
	}
	defer events.Close()
	all := append(append(c.endpoints(), c.private()...), c.dir.Ctl())
	retryDelay := repairDelay
	for touched := (time.Time{}); ctx.Err() == nil; {
		if time.Since(touched) >= rundir.TouchEvery {
			touched = time.Now()
			rundir.Touch(append(all, c.dir.Path())...) // without XDG_RUNTIME_DIR, all are in /tmp
		}
		for _, name := range all { // each time: another file may have the name
			_ = events.Add(name, unix.IN_ATTRIB|unix.IN_MOVE_SELF|unix.IN_DELETE_SELF|unix.IN_DONT_FOLLOW)
		}
		limit := rundir.TouchEvery
		if len(c.console.Missing()) > 0 || slices.ContainsFunc(all, gone) {
			limit = retryDelay
			retryDelay = min(2*retryDelay, maxRetryDelay)
		}
		if happened, _ := events.WaitLimited(ctx, limit); happened != 0 {
			pause(ctx, repairDelay)
			retryDelay = repairDelay
		}
		if ctx.Err() != nil {
			return nil
		}
		c.repair(serve)
		if slices.ContainsFunc(c.private(), gone) && !c.console.Relay().Held() {
			return fmt.Errorf("%s: files there were removed (start this again)", c.dir.Path())
		}
	}
	return nil
}

// repair makes the missing endpoints again, and the control socket.
func (c *Channel) repair(serve func(net.Listener)) {
	c.console.Repair()
	if !gone(c.dir.Ctl()) || gone(c.dir.Path()) {
		return
	}
	if control, err := unixsock.Listen(c.dir.Ctl()); err == nil {
		serve(control)
	}
}
