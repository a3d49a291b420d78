package vmconfig

import (
	"maps"
	"slices"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
)

// DefaultConsoles are the consoles of a machine that names none: a serial port
// for the boot, and a virtio console, which becomes /dev/console.
func DefaultConsoles() []Console {
	return []Console{
		{Name: "serial", Device: "ttyS0", Port: 4440},
		{Name: "console", Device: "hvc0", Port: 4441},
	}
}

// fillConsoles gives a machine that names no consoles the default ones, at its
// Ports, and tells what is wrong with those.
func (m *Machine) fillConsoles() error {
	ports := m.Ports
	m.Ports = nil
	if m.Consoles != nil {
		if ports != nil {
			return strictjson.Mistakef("ports", "are those of consoles that are left out (give each console its port in consoles)")
		}
		return nil
	}
	m.Consoles = DefaultConsoles()
	var errs *multierror.Error
	wrong := func(name, format string, args ...any) {
		errs = multierror.Append(errs, strictjson.Mistakef("ports."+name, format, args...))
	}
	for _, name := range slices.Sorted(maps.Keys(ports)) {
		i := slices.IndexFunc(m.Consoles, func(c Console) bool { return c.Name == name })
		switch port := ports[name]; {
		case i < 0:
			wrong(name, "no console has this name (known: serial, console)")
		case port < minPort || port > maxPort:
			wrong(name, "%d is out of range (%d to %d)", port, minPort, maxPort)
		default:
			m.Consoles[i].Port = port
		}
	}
	if m.Consoles[0].Port == m.Consoles[1].Port {
		wrong("console", "%d is that of serial too (give each a port of its own)", m.Consoles[1].Port)
		m.Consoles = DefaultConsoles() // it is told once
	}
	return errs.ErrorOrNil()
}
