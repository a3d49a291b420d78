package qemu

import (
	"fmt"
	"slices"
	"strings"

	"microvm-console/internal/guestagent"
	"microvm-console/internal/vmconfig"
)

// Agent returns the arguments for the guest agent's port, on a connected stream socket that QEMU
// inherits as descriptor fd. They must follow those of Args, so that the consoles keep their
// numbers. They include a virtio-serial bus if no console has one.
func Agent(m vmconfig.Machine, h Host, fd int) []string {
	var args []string
	if !slices.ContainsFunc(m.Consoles, vmconfig.Console.IsVirtio) {
		args = append(args, "-device", virtioSerial(h))
	}
	return append(args,
		"-chardev", fmt.Sprintf("socket,id=agent0,fd=%d", fd),
		"-device", "virtserialport,id="+AgentPort+",chardev=agent0,name="+guestagent.PortName)
}

// AgentPort is the id of the agent's port in QEMU's event VSERPORT_CHANGE, which reports whether
// the guest has the port open.
const AgentPort = "agentport"

// HasAgent reports whether the user's arguments have a port for the guest agent. QEMU rejects a
// second one of the same name.
func HasAgent(user []string) bool {
	return slices.ContainsFunc(user, func(arg string) bool { return strings.Contains(arg, guestagent.PortName) })
}

// vsock returns the arguments for the virtio-vsock device, if the machine has one.
func vsock(m vmconfig.Machine, h Host) []string {
	if m.Vsock == nil {
		return nil
	}
	return []string{"-device", fmt.Sprintf("%s,guest-cid=%d", platforms[h.Type].vsock, m.Vsock.CID)}
}
