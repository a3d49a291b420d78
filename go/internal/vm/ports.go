package vm

import (
	"fmt"
	"net"
	"slices"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/loopback"
	"microvm-console/internal/vmconfig"
)

// openPorts listens on the port of each console, on each loopback address. It returns the
// consoles with the ports in use, and the listeners of each console. If auto is set, it
// replaces ports in use by free ones. Otherwise its error names the owner of each port in use.
func openPorts(consoles []vmconfig.Console, auto bool) ([]vmconfig.Console, [][]net.Listener, error) {
	opened := slices.Clone(consoles)
	listeners := make([][]net.Listener, len(consoles))
	var errs *multierror.Error
	for i, console := range consoles {
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
