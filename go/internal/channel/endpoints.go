package channel

import (
	"errors"
	"fmt"
	"net"
	"os"

	"microvm-console/internal/ctl"
	"microvm-console/internal/loopback"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
)

// endpoints are those that a relay is given open.
type endpoints struct {
	listeners []net.Listener
	pty       *relay.PTY
}

// openEndpoints opens the socket, the port and the terminal. One whose name something
// else has is left out: the relay serves what it has, and tend tries again. On an error
// nothing is left open.
func (c *Channel) openEndpoints() (e endpoints, err error) {
	if c.socket, err = c.openSocket(); err == nil {
		e.listeners = append(e.listeners, c.socket)
	} else if !isForeign(err) {
		return endpoints{}, err
	}
	if c.tcp != 0 {
		ports, err := c.openPort()
		e.listeners, c.portErr = append(e.listeners, c.port.Guard(ports)...), err
	}
	if e.pty, err = relay.OpenPTY(); err == nil {
		c.pty = e.pty.Name()
		c.ptyLink = c.targetOf(c.pty)
		err = c.linkPTY()
	}
	if err != nil && !isForeign(err) {
		e.close()
		c.unlinkPTY()
		return endpoints{}, err
	}
	return e, nil
}

// isForeign reports whether an error is about a file that is not ours, or of another
// kind: it may be removed at any time.
func isForeign(err error) bool {
	return errors.As(err, new(*rundir.ForeignError))
}

func (e endpoints) close() {
	loopback.Close(e.listeners)
	if e.pty != nil {
		_ = e.pty.Close() // nobody has it open
	}
}

// openSocket opens the Unix socket, or goes on with the one that was kept: who
// connects meanwhile is not refused.
func (c *Channel) openSocket() (net.Listener, error) {
	name := c.dir.Name() + socketName
	kept := c.config.Keeper.take(name)
	there, err := rundir.Usable(c.public.Socket, os.ModeSocket)
	if err != nil {
		c.config.Keeper.drop(name, kept)
		return nil, err
	}
	if kept != nil && there {
		defer kept.Close() // FileListener has a descriptor of its own
		listener, err := net.FileListener(kept)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.public.Socket, err)
		}
		return ctl.Named(listener.(*net.UnixListener), c.public.Socket), nil
	}
	c.config.Keeper.drop(name, kept)
	listener, err := ctl.Listen(c.public.Socket)
	if err != nil {
		return nil, err
	}
	return listener, c.config.Keeper.keepListener(name, listener)
}

// openPort listens on the channel's port, or goes on with listeners that were
// kept.
func (c *Channel) openPort() ([]net.Listener, error) {
	var kept []net.Listener
	for i := range 2 {
		name := portName(c.dir.Name(), i)
		file := c.config.Keeper.take(name)
		if file == nil {
			continue
		}
		listener, err := net.FileListener(file)
		if err == nil && listener.Addr().(*net.TCPAddr).Port == c.tcp {
			file.Close()
			kept = append(kept, listener)
			continue
		}
		if err == nil {
			listener.Close() // the settings have changed
		}
		c.config.Keeper.drop(name, file)
	}
	if len(kept) > 0 {
		return kept, nil
	}
	listeners, err := loopback.Listen(c.tcp, "choose another tcp in the settings")
	if err != nil {
		return nil, err
	}
	for i, listener := range listeners {
		if err := c.config.Keeper.keepListener(portName(c.dir.Name(), i), listener); err != nil {
			loopback.Close(listeners)
			return nil, err
		}
	}
	return listeners, nil
}
