package main

import (
	"fmt"

	"microvm-console/internal/state"
	"microvm-console/internal/systemd"
	"microvm-console/internal/vm"
)

// showStatus shows the status of a VM by its service manager until the VM has ended.
func showStatus(v *vm.VM) {
	shown := ""
	v.Watch(func(now state.Machine) {
		if line := statusLine(now); line != shown {
			_ = systemd.Notify("STATUS=" + line) // it is only for people
			shown = line
		}
	})
}

// statusLine returns the line that a service manager shows for a VM: STATUS= of sd_notify(3).
//
// There is no STOPPING=1, after which systemd would end the service within its time limit for a
// stop: a user may have given microvm-shutdown more time.
func statusLine(m state.Machine) string {
	switch {
	case m.Ended != "":
		return "ended: " + m.Ended
	case m.State == state.Ready:
		return fmt.Sprintf("ready after %.1f s (%s)", m.ReadySeconds, m.ReadyBy)
	case m.State == state.Booting && m.Restarts > 0:
		return fmt.Sprintf("the guest has restarted (%d), and is not ready yet", m.Restarts)
	case m.State == state.Booting:
		return "QEMU runs, the guest is not ready yet"
	}
	return m.State
}
