package channel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
)

const (
	// touchEvery is how often the files are touched: what cleans /tmp takes
	// files that nobody has used for days (tmpfiles.d(5)), in use or not.
	touchEvery = time.Hour
	// mendAfter is how long somebody who removes endpoints, with their folder
	// perhaps, has until they are made again; and the pause before that is tried
	// once more.
	mendAfter = time.Second
)

// names are the endpoints' paths.
func (c *Channel) names() []string {
	return []string{c.public.In, c.public.Out, c.public.Socket, c.public.PTY, c.public.Log}
}

// private are the paths of what QEMU plugs into, and of the locks.
func (c *Channel) private() []string {
	vm := relay.VMPath(c.dir.Path())
	return []string{vm + ".in", vm + ".out", c.dir.Lock(), c.dir.Seat()}
}

// missing are the endpoints that somebody has removed. Who has one open goes on.
func (c *Channel) missing() []string {
	var missing []string
	for _, name := range c.names() {
		if gone(name) {
			missing = append(missing, name)
		}
	}
	return missing
}

func gone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}

// tend touches the files now and again, and makes endpoints again that somebody has
// removed, until ctx ends. serve serves another control socket.
//
// The private files are not made again: a QEMU that sits there keeps those it has, and
// the locks tell that nobody else does. Once none sits there, that is an error: the
// next relay makes all of them.
func (c *Channel) tend(ctx context.Context, names *relay.Opens, serve func(net.Listener)) error {
	var touched time.Time
	for ctx.Err() == nil {
		if time.Since(touched) >= touchEvery {
			touched = time.Now()
			c.touch()
		}
		for _, name := range append(append(c.names(), c.private()...), c.dir.Ctl()) { // anew: another file may have the name
			_ = names.Add(name, unix.IN_ATTRIB|unix.IN_MOVE_SELF|unix.IN_DELETE_SELF|unix.IN_DONT_FOLLOW)
		}
		broken := slices.ContainsFunc(c.private(), gone)
		if len(c.missing()) == 0 && !broken && !gone(c.dir.Ctl()) {
			_, _ = c.waitLimited(ctx, names, touchEvery)
			continue
		}
		select {
		case <-time.After(mendAfter):
			c.mend(serve)
		case <-ctx.Done():
		}
		if broken && !c.relay.Held() {
			return fmt.Errorf("%s: somebody has removed files there (start this again)", c.dir.Path())
		}
	}
	return nil
}

// touch touches the files: without XDG_RUNTIME_DIR, the private ones are in /tmp too.
// A missing endpoint is told by status.
func (c *Channel) touch() {
	for _, name := range append(append(c.names(), c.private()...), c.dir.Ctl(), c.dir.Path()) {
		now := unix.Timespec{Nsec: unix.UTIME_NOW}
		_ = unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{now, now}, unix.AT_SYMLINK_NOFOLLOW)
	}
}

// lost tells whether the control socket is not there, but its folder is.
func (c *Channel) lost() bool { return gone(c.dir.Ctl()) && !gone(c.dir.Path()) }

// mend makes the endpoints again that are missing. What cannot be made stays
// missing, which status tells, and is tried again.
func (c *Channel) mend(serve func(net.Listener)) {
	_ = c.relay.Renew()
	if gone(c.public.Socket) {
		_ = c.renewSocket()
	}
	if gone(c.public.PTY) {
		_ = rundir.Link(c.pty, c.public.PTY)
	}
	if gone(c.public.Log) {
		_ = c.linkLog(c.stream)
	}
	if c.lost() {
		if control, err := ctl.Listen(c.dir.Ctl()); err == nil {
			serve(control)
		}
	}
}

// renewSocket makes the public socket again. Who is connected stays so.
func (c *Channel) renewSocket() error {
	fresh, err := ctl.Listen(c.public.Socket)
	if err != nil {
		return err
	}
	c.relay.Replace(c.socket, fresh)
	c.socket = fresh
	name := c.dir.Name() + socketName
	c.config.Keeper.forget(name)
	return c.config.Keeper.keepListener(name, fresh)
}
