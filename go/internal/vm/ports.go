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

// choosePorts returns consoles with ports that are free. A port that is taken
// is replaced where auto is true, and else an error that names its owner; all
// taken ports are told at once.
func choosePorts(consoles []spec.Console, auto bool) ([]spec.Console, error) {
	chosen := slices.Clone(consoles)
	var errs *multierror.Error
	for i, console := range chosen {
		err := tryPort(console.Port)
		if err != nil && auto {
			chosen[i].Port, err = freePort(chosen)
		}
		if err != nil {
			errs = multierror.Append(errs, fmt.Errorf("console %q: %w", console.Name, err))
		}
	}
	return chosen, errs.ErrorOrNil()
}

// tryPort tells whether port can be listened on, on each loopback address.
func tryPort(port int) error {
	for _, address := range loopback {
		address = net.JoinHostPort(address, strconv.Itoa(port))
		listener, err := net.Listen("tcp", address)
		switch {
		case err == nil:
			listener.Close()
		case errors.Is(err, unix.EADDRINUSE):
			return fmt.Errorf("listen %s: address already in use (%schoose another port, or --auto-ports)", address, portOwner(port))
		case errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EAFNOSUPPORT):
			// a host without this kind of address
		default:
			return err
		}
	}
	return nil
}

// freePort finds a port that is free on each loopback address and not among
// those of taken.
func freePort(taken []spec.Console) (int, error) {
	for range 100 {
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback[0], "0"))
		if err != nil {
			return 0, err
		}
		port := listener.Addr().(*net.TCPAddr).Port
		listener.Close()
		used := slices.ContainsFunc(taken, func(c spec.Console) bool { return c.Port == port })
		if !used && tryPort(port) == nil {
			return port, nil
		}
	}
	return 0, errors.New("no free port was found")
}
