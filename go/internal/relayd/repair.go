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
	// repairDelay is how long to wait before recreating removed endpoints: a user may
	// still be removing others, or their folder.
	repairDelay = time.Second
	// maxRetryDelay limits the pause between attempts, which doubles each time.
	maxRetryDelay = 30 * time.Second
)

// endpoints returns the paths of the endpoints.
func (c *Channel) endpoints() []string {
	public := c.public()
	return []string{public.In, public.Out, public.Socket, public.PTY, public.Log}
}

// private returns the paths of the FIFOs that QEMU opens, and of the locks.
func (c *Channel) private() []string {
	vm := relay.VMPath(c.dir.Path())
	return []string{vm + ".in", vm + ".out", c.dir.Lock(), c.dir.VMLock()}
}

// Trouble returns why endpoints of the channel could not be created, or nil if none
// failed.
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

// keepFiles touches the files regularly, and recreates missing endpoints and the control
// socket, until ctx is done. It calls serve with a new control socket.
//
// The private files are not recreated: an attached QEMU keeps the FIFOs it has, and the
// locks exclude other relays. Once no QEMU is attached, their loss is an error, and the
// next relay creates all of them.
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
			rundir.Touch(append(all, c.dir.Path())...) // without XDG_RUNTIME_DIR, all of them are in /tmp
		}
		for _, name := range all { // each time, because another file may have the name
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
			return fmt.Errorf("%s: files of the relay were removed (start the relay again)", c.dir.Path())
		}
	}
	return nil
}

// repair recreates the missing endpoints and the control socket.
func (c *Channel) repair(serve func(net.Listener)) {
	c.console.Repair()
	if !gone(c.dir.Ctl()) || gone(c.dir.Path()) {
		return
	}
	if control, err := unixsock.Listen(c.dir.Ctl()); err == nil {
		serve(control)
	}
}
