package channel

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

	"microvm-console/internal/ctl"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
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
	return []string{vm + ".in", vm + ".out", c.dir.Lock(), c.dir.Seat()}
}

// missing returns the endpoints that are not the relay's, as they were removed, or
// something else has the name, and why one of them cannot be made. A client that has
// one open goes on.
func (c *Channel) missing() (missing []string, trouble map[string]error) {
	kinds := map[string]os.FileMode{
		c.public.In: os.ModeNamedPipe, c.public.Out: os.ModeNamedPipe, c.public.Socket: os.ModeSocket,
		c.public.PTY: os.ModeSymlink, c.public.Log: os.ModeSymlink,
	}
	lacks := c.relay.Lacks()
	trouble = map[string]error{}
	for _, name := range c.names() {
		there, err := rundir.Usable(name, kinds[name])
		switch {
		case err != nil:
			trouble[name] = err
		case !there, slices.Contains(lacks, name), name == c.public.Socket && !ctl.InPlace(c.publicSocket()),
			name == c.public.PTY && gone(c.ptyLink):
		default:
			continue
		}
		missing = append(missing, name)
	}
	if err := c.portTrouble(); err != nil {
		name := fmt.Sprintf("localhost:%d", c.tcp)
		missing, trouble[name] = append(missing, name), err
	}
	return missing, trouble
}

// Trouble returns why endpoints of the channel could not be made; nil: all are there,
// or will be in a moment.
func (c *Channel) Trouble() error {
	missing, trouble := c.missing()
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
// The private files are not made again: a QEMU that sits there keeps those it has, and
// the locks tell that nobody else does. Once none sits there, that is an error: the
// next relay makes all of them.
func (c *Channel) tend(ctx context.Context, names *relay.Opens, serve func(net.Listener)) error {
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
		if missing, _ := c.missing(); len(missing) == 0 && !broken && !gone(c.dir.Ctl()) {
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
		if broken && !c.relay.Held() {
			return fmt.Errorf("%s: somebody has removed files there (start this again)", c.dir.Path())
		}
	}
	return nil
}

// touch touches the files: without XDG_RUNTIME_DIR, the private ones are in /tmp too.
// A missing endpoint is told by status.
func (c *Channel) touch() {
	rundir.Touch(append(append(c.names(), c.private()...), c.dir.Ctl(), c.dir.Path())...)
}

// lost tells whether the control socket is not there, but its folder is.
func (c *Channel) lost() bool { return gone(c.dir.Ctl()) && !gone(c.dir.Path()) }

// mend makes the endpoints again that are missing. What cannot be made stays
// missing, which status tells, and is tried again.
func (c *Channel) mend(serve func(net.Listener)) {
	_ = c.relay.Renew()
	if !ctl.InPlace(c.publicSocket()) {
		_ = c.renewSocket()
	}
	if gone(c.public.PTY) || gone(c.ptyLink) {
		_ = c.linkPTY()
	}
	if gone(c.public.Log) {
		_ = c.linkLog(c.stream)
	}
	if c.portTrouble() != nil {
		c.renewPort()
	}
	if c.lost() {
		if control, err := ctl.Listen(c.dir.Ctl()); err == nil {
			serve(control)
		}
	}
}

// renewSocket makes the public socket again. A client that is connected stays so.
func (c *Channel) renewSocket() error {
	fresh, err := ctl.Listen(c.public.Socket)
	if err != nil {
		return err
	}
	c.relay.Replace(c.publicSocket(), fresh)
	c.opened.Lock()
	c.socket = fresh
	c.opened.Unlock()
	name := c.dir.Name() + socketName
	c.config.Keeper.forget(name)
	return c.config.Keeper.keepListener(name, fresh)
}

// renewPort listens on the channel's port, if it is free by now.
func (c *Channel) renewPort() {
	listeners, err := c.openPort()
	c.opened.Lock()
	c.portErr = err
	c.opened.Unlock()
	for _, listener := range c.port.Guard(listeners) {
		c.relay.Replace(nil, listener)
	}
}

// publicSocket is the listener of the public socket; nil: there is none.
func (c *Channel) publicSocket() net.Listener {
	c.opened.Lock()
	defer c.opened.Unlock()
	return c.socket
}

// portTrouble is why the channel's port could not be opened; nil: it is open, or there
// is to be none.
func (c *Channel) portTrouble() error {
	c.opened.Lock()
	defer c.opened.Unlock()
	return c.portErr
}
