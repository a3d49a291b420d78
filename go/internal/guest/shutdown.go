package guest

import (
	"cmp"
	"fmt"

	"golang.org/x/sys/unix"
)

// Shutdown is the data of QEMU's events SHUTDOWN and RESET.
type Shutdown struct {
	Guest  bool   `json:"guest"`  // the guest has caused the event
	Reason string `json:"reason"` // "guest-shutdown", "host-qmp-quit", …
}

// Reset reports whether the guest has restarted.
func (s Shutdown) Reset() bool { return s.Guest && s.Reason == "guest-reset" }

// How returns how a QEMU has ended that has exited with status 0: "powered off". s is the data
// of its last event SHUTDOWN, or the zero value.
func (s Shutdown) How() string {
	switch {
	case s.Reset():
		return "restarted, and QEMU ended (-no-reboot)"
	case s.Guest:
		return "powered off"
	case s.Reason == "host-qmp-quit":
		return "quit in the monitor"
	}
	return "QEMU was ended (" + cmp.Or(s.Reason, "status 0") + ")"
}

// ExitHow returns how a QEMU has ended: "QEMU ended with status 1", "QEMU was killed by
// SIGSEGV". exit is its exit status, or 128 plus the number of a signal.
func ExitHow(exit int) string {
	if exit <= 128 {
		return fmt.Sprintf("QEMU ended with status %d", exit)
	}
	signal := unix.Signal(exit - 128)
	return "QEMU was killed by " + cmp.Or(unix.SignalName(signal), signal.String())
}
