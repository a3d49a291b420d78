package vm

import (
	"fmt"
	"net"
	"slices"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/loopback"
	"microvm-console/internal/vmconfig"
)

// withoutPorts returns consoles in which only shared ones have a port. The port of a console
// that is not shared admits one user, and a VM without these ports has clients of several.
func withoutPorts(consoles []vmconfig.Console) []vmconfig.Console {
	without := slices.Clone(consoles)
	for i := range without {
		if !without[i].Shared {
			without[i].Port = 0
		}
	}
	return without
}

// openPorts listens on the port of each console that has one, on each loopback address. It
// returns the consoles with the ports in use, and the listeners of each console. If auto is set, it
// replaces ports in use by free ones. Otherwise its error names the owner of each port in use.
func openPorts(consoles []vmconfig.Console, auto bool) ([]vmconfig.Console, [][]net.Listener, error) {
	opened := slices.Clone(consoles)
	listeners := make([][]net.Listener, len(consoles))
	var errs *multierror.Error
	for i, console := range consoles {
		if console.Port == 0 {
			continue
		}
		var err error
		listeners[i], err = loopback.Listen(console.Port, "choose another port, or --auto-ports")
		if err != nil && auto {
			opened[i].Port, listeners[i], err = loopback.ListenFree()
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
func closePorts(listeners [][]net.Listener) { loopback.Close(slices.Concat(listeners...)) }
