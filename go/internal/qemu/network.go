package qemu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"microvm-console/internal/vmconfig"
)

// networkID is the id of the user network, which a user's arguments are unlikely to have.
const networkID = "network0"

// network returns the arguments for the network. QEMU itself chooses a free port for a forward
// from port 0; see Forwards.
func network(m vmconfig.Machine, h Host) []string {
	if !m.HasUserNetwork() {
		return nil
	}
	netdev := "user,id=" + networkID
	for _, f := range m.Forwards() {
		netdev += fmt.Sprintf(",hostfwd=%s:127.0.0.1:%d-:%d", f.Transport(), f.Host, f.Guest)
	}
	// Without romfile=, QEMU loads a program that boots from the network.
	device := "virtio-net-pci,romfile=,netdev=" + networkID
	if h.Type == "microvm" {
		device = "virtio-net-device,netdev=" + networkID // virtio-mmio
	}
	return []string{"-netdev", netdev, "-device", device}
}

// networkParams returns the kernel parameters that our guest image reads: "microvm.network=user"
// for a user network.
func networkParams(m vmconfig.Machine) []string {
	if !m.HasUserNetwork() {
		return nil
	}
	return []string{"microvm.network=user"}
}

// ForwardsCommand is the command of QEMU's human monitor whose output Forwards reads.
const ForwardsCommand = "info usernet"

// Forwards returns the forwarded ports in declared, with the free ports that QEMU has taken for
// those from port 0. output is the output of ForwardsCommand.
func Forwards(declared []vmconfig.Forward, output string) ([]vmconfig.Forward, error) {
	taken := readForwards(output)
	isDeclared := func(f vmconfig.Forward) bool {
		return slices.ContainsFunc(declared, func(d vmconfig.Forward) bool { return d.Host == f.Host && d.Transport() == f.Protocol })
	}
	taken = slices.DeleteFunc(taken, isDeclared)
	opened := slices.Clone(declared)
	for i, d := range declared {
		if d.Host != 0 {
			continue
		}
		at := slices.IndexFunc(taken, func(f vmconfig.Forward) bool { return f.Guest == d.Guest && f.Protocol == d.Transport() })
		if at < 0 {
			return nil, fmt.Errorf("QEMU does not say from which port it forwards to port %d/%s (choose one: host in vm.json)", d.Guest, d.Transport())
		}
		opened[i].Host = taken[at].Host
		taken = slices.Delete(taken, at, at+1)
	}
	return opened, nil
}

// readForwards returns the forwarded ports in the output of ForwardsCommand, in any order. It
// ignores what it does not know.
//
//	Hub -1 (network0):
//	  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
//	  TCP[HOST_FORWARD]  11       127.0.0.1 41633       10.0.2.15    80     0     0
func readForwards(output string) []vmconfig.Forward {
	var forwards []vmconfig.Forward
	ours := false
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, " ") {
			ours = strings.Contains(line, "("+networkID+")")
			continue
		}
		fields := strings.Fields(line)
		if !ours || len(fields) < 6 {
			continue
		}
		protocol, isForward := strings.CutSuffix(fields[0], "[HOST_FORWARD]")
		host, errHost := strconv.ParseUint(fields[3], 10, 16)
		guest, errGuest := strconv.ParseUint(fields[5], 10, 16)
		if isForward && errHost == nil && errGuest == nil {
			forwards = append(forwards, vmconfig.Forward{Host: int(host), Guest: int(guest), Protocol: strings.ToLower(protocol)})
		}
	}
	return forwards
}
