package vmconfig

import (
	"maps"
	"slices"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
	"microvm-console/internal/suggest"
)

// DefaultConsoles returns the consoles of a vm.json without "consoles": a serial port, which
// shows the boot, and a virtio console, which becomes /dev/console.
func DefaultConsoles(arch Arch) []Console {
	return []Console{
		{Name: "serial", Device: arch.UARTs[0], Port: 4440},
		{Name: "console", Device: "hvc0", Port: 4441},
	}
}

// fillConsoles sets the default consoles if none are given, with their ports from Ports, and the
// default of Console.Login for an image. It returns the mistakes in Ports.
func (m *Machine) fillConsoles() error {
	defer m.fillLogins()
	ports := m.Ports
	m.Ports = nil
	if m.Consoles != nil {
		if ports != nil {
			return strictjson.Mistakef("ports", "cannot be combined with consoles (give each console its port there)")
		}
		return nil
	}
	m.Consoles = DefaultConsoles(m.Architecture())
	var errs *multierror.Error
	wrong := func(name, format string, args ...any) {
		errs = multierror.Append(errs, strictjson.Mistakef("ports."+name, format, args...))
	}
	for _, name := range slices.Sorted(maps.Keys(ports)) {
		i := slices.IndexFunc(m.Consoles, func(c Console) bool { return c.Name == name })
		switch port := ports[name]; {
		case i < 0:
			wrong(name, "unknown console%s", suggest.HintOrKnown(name, []string{"serial", "console"}))
		case port < minPort || port > maxPort:
			wrong(name, "%d is out of range (%d to %d)", port, minPort, maxPort)
		default:
			m.Consoles[i].Port = port
		}
	}
	if m.Consoles[0].Port == m.Consoles[1].Port {
		wrong("console", "%d is also the port of serial (ports must differ)", m.Consoles[1].Port)
		m.Consoles = DefaultConsoles(m.Architecture()) // Validate does not report it again
	}
	return errs.ErrorOrNil()
}

// fillLogins sets Login for the consoles of an image: few of them let root in without a
// password.
func (m *Machine) fillLogins() {
	for i := range m.Consoles {
		if m.Image != nil && m.Consoles[i].Login == nil {
			m.Consoles[i].Login = new(bool)
		}
	}
}
