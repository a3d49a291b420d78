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

// public returns the paths of the channel's endpoints.
func (c *Channel) public() rundir.Public {
	return rundir.PublicOf(c.config.Settings.Directory, c.config.Name)
}

// slots returns the channel's endpoints.
func (c *Channel) slots() []console.Slot {
	public, stream := c.public(), c.console.Relay().Journal()
	slots := []console.Slot{
		{Name: public.In, Open: func() (console.Endpoint, error) { return endpoint.OpenInFIFO(public.In) }},
		{Name: public.Out, Open: func() (console.Endpoint, error) { return endpoint.OpenOutFIFO(public.Out) }},
		{Name: public.Socket, Open: c.openSocket},
		{Name: public.PTY, Open: func() (console.Endpoint, error) { return endpoint.OpenPTY(public.PTY, c.viaPTY()) }},
		{Name: public.Log, Open: func() (console.Endpoint, error) { return endpoint.OpenLogLink(public.Log, stream) }},
	}
	if c.tcp != 0 {
		slots = append(slots, console.Slot{Name: fmt.Sprintf("localhost:%d", c.tcp), Optional: true, Open: c.openPort})
	}
	return slots
}

// viaPTY returns the path of the intermediate link between the public link and the
// terminal. It is in the runtime folder of the service, which the service manager removes
// no matter how the service ends (systemd.exec(5), RuntimeDirectory=). It returns "" if
// the service has none.
func (c *Channel) viaPTY() string {
	dir := os.Getenv("RUNTIME_DIRECTORY")
	if !filepath.IsAbs(dir) || strings.Contains(dir, ":") { // none, or several
		return ""
	}
	return filepath.Join(dir, c.dir.Name()+".pty")
}

// socketName returns the name of the Unix socket in the store.
func (c *Channel) socketName() string { return c.dir.Name() + ".sock" }

func (c *Channel) openSocket() (console.Endpoint, error) {
	path := c.public().Socket
	usable := func(net.Listener) bool {
		exists, err := rundir.Usable(path, os.ModeSocket)
		return exists && err == nil
	}
	listeners, err := c.config.Store.listen([]string{c.socketName()}, usable, func() ([]net.Listener, error) {
		listener, err := unixsock.Listen(path)
		return []net.Listener{listener}, err
	})
	if err != nil {
		return nil, err
	}
	if stored, ok := listeners[0].(*net.UnixListener); ok {
		listeners[0] = unixsock.Named(stored, path)
	}
	return endpoint.Listeners(listeners), nil
}

func (c *Channel) openPort() (console.Endpoint, error) {
	names := []string{c.dir.Name() + ".tcp0", c.dir.Name() + ".tcp1"} // IPv4 and IPv6
	usable := func(l net.Listener) bool { return l.Addr().(*net.TCPAddr).Port == c.tcp }
	listeners, err := c.config.Store.listen(names, usable, func() ([]net.Listener, error) {
		return loopback.Listen(c.tcp, "choose another tcp in the settings")
	})
	if err != nil {
		return nil, err
	}
	return endpoint.Listeners(c.port.Guard(listeners)), nil
}
