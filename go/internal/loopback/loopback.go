// Package loopback listens on TCP ports of the loopback interface: on 127.0.0.1 and on
// ::1, so that clients can connect to "localhost" with either meaning.
package loopback

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// addresses are the meanings of "localhost".
var addresses = []string{"127.0.0.1", "::1"}

// Listen listens on port, on each loopback address that this host has. If the port is
// taken, the error names the process that listens on it, followed by remedy: what the
// user can do. The caller must close the listeners.
func Listen(port int, remedy string) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, address := range addresses {
		address = net.JoinHostPort(address, strconv.Itoa(port))
		listener, err := net.Listen("tcp", address)
		switch {
		case err == nil:
			listeners = append(listeners, listener)
			continue
		case errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EAFNOSUPPORT):
			continue // this host does not have the address
		case errors.Is(err, unix.EADDRINUSE):
			err = fmt.Errorf("listen %s: address already in use (%s%s)", address, owner(port), remedy)
		}
		Close(listeners)
		return nil, err
	}
	return listeners, nil
}

// ListenFree listens on a port that is free on all loopback addresses. The caller must
// close the listeners.
func ListenFree() (port int, listeners []net.Listener, err error) {
	for range 100 {
		first, err := net.Listen("tcp", net.JoinHostPort(addresses[0], "0"))
		if err != nil {
			return 0, nil, err
		}
		port := first.Addr().(*net.TCPAddr).Port
		first.Close()
		if listeners, err := Listen(port, ""); err == nil {
			return port, listeners, nil
		}
	}
	return 0, nil, errors.New("listen localhost: no free port")
}

// Close closes listeners.
func Close(listeners []net.Listener) {
	for _, listener := range listeners {
		listener.Close()
	}
}
