package qemu

import (
	"fmt"
	"slices"
	"strings"

	"microvm-console/internal/guestagent"
	"microvm-console/internal/vmconfig"
)

// Agent is the port of the guest agent, on a connected stream socket that QEMU
// inherits as descriptor fd. It stands behind all of the machine's own
// arguments, so that the consoles keep their numbers; where no console has made a
// virtio-serial bus, it brings one.
func Agent(m vmconfig.Machine, h Host, fd int) []string {
	var args []string
	if !slices.ContainsFunc(m.Consoles, isVirtio) {
		args = append(args, "-device", virtioSerial(h))
	}
	return append(args,
		"-chardev", fmt.Sprintf("socket,id=agent0,fd=%d", fd),
		"-device", "virtserialport,id="+AgentPort+",chardev=agent0,name="+guestagent.PortName)
}

// AgentPort is the id under which QEMU's event VSERPORT_CHANGE tells whether the
// guest has the agent's port open.
const AgentPort = "agentport"

// HasAgent tells whether arguments of the user's bring a port for the guest
// agent. QEMU does not take a second one of the same name.
func HasAgent(user []string) bool {
	return slices.ContainsFunc(user, func(arg string) bool { return strings.Contains(arg, guestagent.PortName) })
}

func isVirtio(c vmconfig.Console) bool { return !c.IsSerial() }

// vsock is the virtio-vsock device, if the machine has one.
func vsock(m vmconfig.Machine, h Host) []string {
	if m.Vsock == nil {
		return nil
	}
	driver := "vhost-vsock-pci"
	if h.Type == "microvm" {
		driver = "vhost-vsock-device" // virtio over mmio
	}
	return []string{"-device", fmt.Sprintf("%s,guest-cid=%d", driver, m.Vsock.CID)}
}
