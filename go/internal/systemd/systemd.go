// Package systemd is the interface between our services and systemd: the text of the units of
// relays and VMs, and the messages of sd_notify(3).
//
// The text of a unit depends on plain data only, so that the same settings give the same
// bytes, by hand and with Nix. Without a service manager messages are dropped, which is not
// an error: the programs also run in a terminal.
//
// The package uses coreos/go-systemd, except for messages with a descriptor, which that
// cannot send.
package systemd

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// maxFDName bounds the name of a stored descriptor, in bytes.
const maxFDName = 255

// Notify sends one or more lines of state to the service manager, as "READY=1" or
// "STATUS=text"; see sd_notify(3).
func Notify(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	return nil
}

// Store passes a copy of file to the service manager, which keeps it until Forget, or until
// the service is stopped. After a restart, even after a crash, Stored returns it. name has
// no colon and at most 255 bytes. The caller still closes file.
func Store(name string, file *os.File) error {
	if err := checkName(name); err != nil {
		return err
	}
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return nil
	}
	conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("service manager: socket: %w", err)
	}
	defer func() { _ = unix.Close(conn) }()
	raw, err := file.SyscallConn() // not Fd, which makes the file blocking
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	// Without FDPOLL=0 the manager drops a FIFO when its other end closes.
	state := []byte("FDSTORE=1\nFDPOLL=0\nFDNAME=" + name)
	var sent error
	if err := raw.Control(func(fd uintptr) {
		sent = unix.Sendmsg(conn, state, unix.UnixRights(int(fd)), &unix.SockaddrUnix{Name: socket}, unix.MSG_NOSIGNAL)
	}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if sent != nil {
		return fmt.Errorf("service manager: %s: %w", socket, sent)
	}
	return nil
}

// Forget asks the service manager to close the descriptors that it stores under name.
func Forget(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return Notify("FDSTOREREMOVE=1\nFDNAME=" + name)
}

// checkName returns an error for a name that the service manager would silently ignore.
func checkName(name string) error {
	if name == "" || len(name) > maxFDName || strings.ContainsFunc(name, func(r rune) bool {
		return r == ':' || unicode.IsControl(r) || r > unicode.MaxASCII
	}) {
		return fmt.Errorf("invalid descriptor name %q (ASCII without a colon, at most %d bytes)", name, maxFDName)
	}
	return nil
}

// Stored returns the descriptors that the service manager has kept, by name. The caller
// closes them; exec closes them too. Stored removes the variables that name them from the
// environment, so a second call returns none.
func Stored() map[string]*os.File {
	stored := map[string]*os.File{}
	for _, file := range activation.Files(true) {
		if _, twice := stored[file.Name()]; twice {
			file.Close()
			continue
		}
		stored[file.Name()] = file
	}
	return stored
}

// Watchdog returns the interval within which the service manager expects each "WATCHDOG=1".
// 0 means that it expects none.
func Watchdog() time.Duration {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0 // the variable is not a number, so systemd did not set it
	}
	return interval
}
