// Package loopback listens on TCP ports of the loopback interface: on 127.0.0.1 and on
// ::1, so that clients can connect to "localhost" with either meaning.
package loopback

import (
	"errors"
	"fmt"
	"io"
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
		}
		err = explain(err, "tcp", address, port, remedy)
		Close(listeners)
		return nil, err
	}
	return listeners, nil
}

// explain returns the error of listening on a port, with the process that has the port and a
// remedy.
func explain(err error, protocol, address string, port int, remedy string) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("listen %s: address already in use (%s%s)", address, owner(protocol, port), remedy)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("listen %s: only root may use ports below 1024 (%s)", address, remedy)
	}
	return err
}

// Reserve takes a port of a protocol, "tcp" or "udp", on 127.0.0.1, until the caller closes the
// result. Its error is as Listen's.
func Reserve(protocol string, port int, remedy string) (io.Closer, error) {
	address := net.JoinHostPort(addresses[0], strconv.Itoa(port))
	var socket io.Closer
	var err error
	if protocol == "udp" {
		socket, err = net.ListenPacket(protocol, address)
	} else {
		socket, err = net.Listen(protocol, address)
	}
	if err != nil {
		return nil, explain(err, protocol, address, port, remedy)
	}
	return socket, nil
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
