package vm

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"

	"microvm-console/internal/spec"
)

// loopback are the addresses that "localhost" may mean.
var loopback = []string{"127.0.0.1", "::1"}

// openPorts listens on the port of each console, on each loopback address. A
// port that is taken is replaced by a free one where auto is true, and else an
// error that names its owner; all taken ports are told at once. It returns the
// consoles with the ports in use, and the listeners of each.
func openPorts(consoles []spec.Console, auto bool) ([]spec.Console, [][]net.Listener, error) {
	opened := slices.Clone(consoles)
	listeners := make([][]net.Listener, len(consoles))
	var errs *multierror.Error
	for i, console := range consoles {
		var err error
		listeners[i], err = openPort(console.Port)
		if err != nil && auto {
			opened[i].Port, listeners[i], err = openFreePort()
		}
		if err != nil {
			errs = multierror.Append(errs, fmt.Errorf("console %q: %w", console.Name, err))
		}
	}
	if err := errs.ErrorOrNil(); err != nil {
		closePorts(listeners)
		return nil, nil, err
	}
	return opened, listeners, nil
}

// closePorts closes all listeners.
func closePorts(listeners [][]net.Listener) {
	for _, listener := range slices.Concat(listeners...) {
		listener.Close()
	}
}

// openPort listens on port, on each loopback address that this host has.
func openPort(port int) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, address := range loopback {
		address = net.JoinHostPort(address, strconv.Itoa(port))
		listener, err := net.Listen("tcp", address)
		switch {
		case err == nil:
			listeners = append(listeners, listener)
			continue
		case errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EAFNOSUPPORT):
			continue // a host without this kind of address
		case errors.Is(err, unix.EADDRINUSE):
			err = fmt.Errorf("listen %s: address already in use (%schoose another port, or --auto-ports)", address, portOwner(port))
		}
		closePorts([][]net.Listener{listeners})
		return nil, err
	}
	return listeners, nil
}

// openFreePort listens on a port that is free on each loopback address.
func openFreePort() (port int, listeners []net.Listener, err error) {
	for range 100 {
		first, err := net.Listen("tcp", net.JoinHostPort(loopback[0], "0"))
		if err != nil {
			return 0, nil, err
		}
		port := first.Addr().(*net.TCPAddr).Port
		first.Close()
		if listeners, err := openPort(port); err == nil {
			return port, listeners, nil
		}
	}
	return 0, nil, errors.New("no free port was found")
}
