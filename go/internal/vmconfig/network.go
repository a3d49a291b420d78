package vmconfig

// Network is the guest's network.
type Network struct {
	// Type is "none" or "user": a network in QEMU from which the guest reaches other hosts, and
	// which nothing reaches but by Forward. Required.
	Type string `json:"type"`
	// Forward are ports of this host's loopback address that lead into the guest.
	Forward []Forward `json:"forward,omitempty"`
}

// Forward leads from a port on 127.0.0.1 to a port of the guest.
type Forward struct {
	// Host is the port on 127.0.0.1; 0 takes a free one.
	Host int `json:"host"`
	// Guest is the port in the guest. Required.
	Guest int `json:"guest"`
	// Protocol is "tcp" (default) or "udp".
	Protocol string `json:"protocol,omitempty"`
}

// validateNetwork validates the network, and that its ports differ.
func (m Machine) validateNetwork(wrong func(field, format string, args ...any)) {}
