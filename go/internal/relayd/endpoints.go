package relayd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"microvm-console/internal/console"
	"microvm-console/internal/endpoint"
	"microvm-console/internal/loopback"
	"microvm-console/internal/rundir"
	"microvm-console/internal/unixsock"
)

// slots are the places of the channel's endpoints.
func (c *Channel) slots() []console.Slot {
	stream := c.console.Relay().Journal()
	slots := []console.Slot{
		{Name: c.public.In, ForQEMU: true, Open: func() (console.Endpoint, error) { return endpoint.OpenInFIFO(c.public.In) }},
		{Name: c.public.Out, ForQEMU: true, Open: func() (console.Endpoint, error) { return endpoint.OpenOutFIFO(c.public.Out) }},
		{Name: c.public.Socket, Open: c.openSocket},
		{Name: c.public.PTY, Open: func() (console.Endpoint, error) { return endpoint.OpenPTY(c.public.PTY, c.viaPTY()) }},
		{Name: c.public.Log, Open: func() (console.Endpoint, error) { return endpoint.OpenLogLink(c.public.Log, stream) }},
	}
	if c.tcp != 0 {
		slots = append(slots, console.Slot{Name: fmt.Sprintf("localhost:%d", c.tcp), Optional: true, Open: c.openPort})
	}
	return slots
}

// viaPTY returns the link by way of which the public link leads to the terminal: a service's
// is in a folder of its own that its manager removes with it, however it ends
// (systemd.exec(5), RuntimeDirectory=). "": there is none.
func (c *Channel) viaPTY() string {
	dir := os.Getenv("RUNTIME_DIRECTORY")
	if !filepath.IsAbs(dir) || strings.Contains(dir, ":") { // none, or several
		return ""
	}
	return filepath.Join(dir, c.dir.Name()+".pty")
}

// openSocket opens the Unix socket, or goes on with the one that was kept: a client that
// connects meanwhile is not refused.
func (c *Channel) openSocket() (console.Endpoint, error) {
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
		return endpoint.Listeners{unixsock.Named(listener.(*net.UnixListener), c.public.Socket)}, nil
	}
	c.config.Keeper.drop(name, kept)
	listener, err := unixsock.Listen(c.public.Socket)
	if err != nil {
		return nil, err
	}
	c.config.Keeper.forget(name) // of a socket that has lost its name
	if err := c.config.Keeper.keepListener(name, listener); err != nil {
		listener.Close()
		return nil, err
	}
	return endpoint.Listeners{listener}, nil
}

// openPort listens on the channel's port, or goes on with listeners that were
// kept.
func (c *Channel) openPort() (console.Endpoint, error) {
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
		return endpoint.Listeners(c.port.Guard(kept)), nil
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
	return endpoint.Listeners(c.port.Guard(listeners)), nil
}
