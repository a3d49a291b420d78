package vmconfig

import (
	"fmt"
	"slices"
	"strings"
)

// CheckQEMUArgs returns an error if the user's arguments make QEMU leave the process that
// starts it, or serve gdb on a port: gdb's protocol includes commands of QEMU's monitor, which
// run commands on the host.
func CheckQEMUArgs(args []string) error {
	for i, arg := range args {
		value := ""
		if i+1 < len(args) {
			value = args[i+1]
		}
		switch name := strings.Replace(arg, "--", "-", 1); {
		case name == "-daemonize":
			return fmt.Errorf("%s: QEMU must stay a child of the process that relays its consoles (remove the argument, and run microvm-run in the background)", arg)
		case name == "-s":
			return portError(arg)
		case name == "-gdb" && onNetwork(value):
			return portError(arg + " " + value)
		}
	}
	return nil
}

// onNetwork reports whether the value of -gdb is a port.
func onNetwork(value string) bool {
	kind, _, _ := strings.Cut(value, ":")
	return slices.Contains([]string{"tcp", "udp", "telnet", "tn3270", "websocket"}, kind)
}

func portError(arg string) error {
	return fmt.Errorf(`%s: every client of this port could run commands on this host (use --gdb, or "gdb": true in vm.json: a Unix socket)`, arg)
}
