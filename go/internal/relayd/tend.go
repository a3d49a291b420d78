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
	// mendAfter is how long a user who removes endpoints, with their folder
	// perhaps, has until they are made again; and the pause before that is tried
	// once more, which doubles up to mendMost.
	mendAfter = time.Second
	mendMost  = 30 * time.Second
)

// names are the endpoints' paths.
func (c *Channel) names() []string {
	return []string{c.public.In, c.public.Out, c.public.Socket, c.public.PTY, c.public.Log}
}

// private are the paths of what QEMU plugs into, and of the locks.
func (c *Channel) private() []string {
	vm := relay.VMPath(c.dir.Path())
	return []string{vm + ".in", vm + ".out", c.dir.Lock(), c.dir.VMLock()}
}

// Trouble returns why endpoints of the channel could not be made; nil: all are there,
// or will be in a moment.
func (c *Channel) Trouble() error {
	missing, trouble := c.console.Missing()
	var errs *multierror.Error
	for _, name := range missing {
		if err := trouble[name]; err != nil {
			errs = multierror.Append(errs, err)
		}
	}
	return errs.ErrorOrNil()
}

func gone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}

// tend touches the files now and again, and makes endpoints again that are missing, with
// growing pauses, until ctx ends. serve serves another control socket.
//
// The private files are not made again: a QEMU that is attached keeps those it has, and
// the locks keep others out. Once none is attached, that is an error: the
// next relay makes all of them.
func (c *Channel) tend(ctx context.Context, names *openers.Watch, serve func(net.Listener)) error {
	var touched time.Time
	pause := mendAfter
	for ctx.Err() == nil {
		if time.Since(touched) >= rundir.TouchEvery {
			touched = time.Now()
			c.touch()
		}
		for _, name := range append(append(c.names(), c.private()...), c.dir.Ctl()) { // anew: another file may have the name
			_ = names.Add(name, unix.IN_ATTRIB|unix.IN_MOVE_SELF|unix.IN_DELETE_SELF|unix.IN_DONT_FOLLOW)
		}
		broken := slices.ContainsFunc(c.private(), gone)
		if missing, _ := c.console.Missing(); len(missing) == 0 && !broken && !gone(c.dir.Ctl()) {
			pause = mendAfter
			_, _ = c.waitLimited(ctx, names, rundir.TouchEvery)
			continue
		}
		if happened, _ := c.waitLimited(ctx, names, pause); happened != 0 {
			pause = mendAfter
			_, _ = c.waitLimited(ctx, names, pause) // for what follows; a flood of changes is nothing to follow
		} else {
			pause = min(2*pause, mendMost)
		}
		if ctx.Err() == nil {
			c.mend(serve)
		}
		if broken && !c.console.Relay().Held() {
			return fmt.Errorf("%s: somebody has removed files there (start this again)", c.dir.Path())
		}
	}
	return nil
}

// touch touches the files: without XDG_RUNTIME_DIR, the private ones are in /tmp too.
func (c *Channel) touch() {
	rundir.Touch(append(append(c.names(), c.private()...), c.dir.Ctl(), c.dir.Path())...)
}

// lost reports whether the control socket is not there, but its folder is.
func (c *Channel) lost() bool { return gone(c.dir.Ctl()) && !gone(c.dir.Path()) }

// mend makes the endpoints again that are missing, and the control socket.
func (c *Channel) mend(serve func(net.Listener)) {
	c.console.Repair()
	if c.lost() {
		if control, err := unixsock.Listen(c.dir.Ctl()); err == nil {
			serve(control)
		}
	}
}
