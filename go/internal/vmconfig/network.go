package vmconfig

import (
	"cmp"
	"fmt"
	"strings"

	"microvm-console/internal/suggest"
)

// Network is the guest's network.
type Network struct {
	// Type is "none", or "user": a network inside QEMU, from which the guest connects to other
	// hosts with the rights of the VM's owner. Other hosts cannot connect to the guest.
	// Required.
	Type string `json:"type"`
	// Forward are ports of this host that lead into the guest.
	Forward []Forward `json:"forward,omitempty"`
}

// Forward leads from a port on 127.0.0.1 to a port of the guest. Every user of the host can use
// it.
type Forward struct {
	// Host is the port on 127.0.0.1. Default: 0, which takes a free one.
	Host int `json:"host"`
	// Guest is the port in the guest. Required.
	Guest int `json:"guest"`
	// Protocol is "tcp" or "udp"; see Transport for the default.
	Protocol string `json:"protocol,omitempty"`
}

// The values of Network.Type and Forward.Protocol.
var (
	NetworkTypes = []string{"none", "user"}
	protocols    = []string{"tcp", "udp"}
)

// Transport returns Protocol, or the default "tcp".
func (f Forward) Transport() string { return cmp.Or(f.Protocol, "tcp") }

// HasUserNetwork reports whether the guest has a network of the type "user".
func (m Machine) HasUserNetwork() bool { return m.Network != nil && m.Network.Type == "user" }

// Forwards returns the forwarded ports.
func (m Machine) Forwards() []Forward {
	if !m.HasUserNetwork() {
		return nil
	}
	return m.Network.Forward
}

// validateNetwork validates the network, and that its ports differ from each other and from those
// of the consoles.
func (m Machine) validateNetwork(wrong func(field, format string, args ...any)) {
	if m.Network == nil {
		return
	}
	switch m.Network.Type {
	case "user":
	case "none":
		if len(m.Network.Forward) > 0 {
			wrong("network.forward", `needs a network (set network.type to "user")`)
		}
	case "":
		wrong("network.type", "is missing (choose %s)", strings.Join(NetworkTypes, " or "))
	default:
		wrong("network.type", "unknown network %q%s", m.Network.Type, hintOrQEMUArgs(m.Network.Type))
	}
	taken := m.consolePorts()
	for i, forward := range m.Network.Forward {
		field := fmt.Sprintf("network.forward[%d]", i)
		forward.validate(field, wrong)
		port := fmt.Sprintf("%d/%s", forward.Host, forward.Transport())
		if other, ok := taken[port]; ok && forward.Host != 0 {
			wrong(field+".host", "%d is also the port of %s (choose another port, or 0 for a free one)", forward.Host, other)
			continue
		}
		taken[port] = field
	}
}

// hintOrQEMUArgs returns what to do about an unknown type of network.
func hintOrQEMUArgs(kind string) string {
	if hint := suggest.Hint(kind, "", NetworkTypes); hint != "" {
		return hint
	}
	return " (known: " + strings.Join(NetworkTypes, ", ") + "; for another one, use qemuArgs)"
}

// consolePorts returns the names of the consoles' fields by port and protocol, as in "4440/tcp".
func (m Machine) consolePorts() map[string]string {
	ports := map[string]string{}
	for i, console := range m.Consoles {
		ports[fmt.Sprintf("%d/tcp", console.Port)] = fmt.Sprintf("consoles[%d]", i)
	}
	return ports
}

// validate validates the values of a forwarded port.
func (f Forward) validate(field string, wrong func(field, format string, args ...any)) {
	if f.Host < 0 || f.Host > maxPort {
		wrong(field+".host", "%d is out of range (%d to %d, or 0 for a free port)", f.Host, minPort, maxPort)
	}
	if f.Guest < minPort || f.Guest > maxPort {
		wrong(field+".guest", "%d is out of range (%d to %d)", f.Guest, minPort, maxPort)
	}
	if f.Protocol != "" && f.Protocol != "tcp" && f.Protocol != "udp" {
		wrong(field+".protocol", "unknown protocol %q%s", f.Protocol, suggest.HintOrKnown(f.Protocol, protocols))
	}
}
