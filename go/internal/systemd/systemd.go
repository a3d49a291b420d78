// Package systemd is what a relay and systemd tell each other: the text of a
// relay's user unit, and the messages of sd_notify(3).
//
// A unit's text is made from plain data, so that the same settings give the same
// bytes by hand and by Nix. Where no service manager is there, messages go
// nowhere and that is no error: a relay also runs in a terminal.
//
// Messages without a descriptor, the watchdog's interval and the descriptors that
// the manager hands over are coreos/go-systemd's business; it cannot hand
// descriptors to the manager, so that part is ours.
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

// maxFDName is the length of the longest name of a stored descriptor.
const maxFDName = 255

// Notify tells the service manager a state, as "READY=1" or "STATUS=text", or
// several, a line for each; see sd_notify(3).
func Notify(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	return nil
}

// Store has the service manager keep a copy of file until Forget, or until the
// service is stopped; a restart, after a crash too, finds it in Stored. The name
// needs no colon and at most 255 bytes. The file stays the caller's.
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
	raw, err := file.SyscallConn() // not Fd, which makes the file a blocking one
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

// Forget has the service manager close what it stores under name.
func Forget(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return Notify("FDSTOREREMOVE=1\nFDNAME=" + name)
}

// checkName refuses what the manager would ignore without a word.
func checkName(name string) error {
	if name == "" || len(name) > maxFDName || strings.ContainsFunc(name, func(r rune) bool {
		return r == ':' || unicode.IsControl(r) || r > unicode.MaxASCII
	}) {
		return fmt.Errorf("descriptor: %q is no name for one (ASCII without a colon, at most %d bytes)", name, maxFDName)
	}
	return nil
}

// Stored returns the descriptors that the service manager kept, by their names,
// closed on exec; the caller owns them. It takes them out of the environment: a
// second call finds none.
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

// Watchdog is the time within which the service manager wants to hear
// "WATCHDOG=1", again and again, or 0 where it does not.
func Watchdog() time.Duration {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0 // not systemd's doing: it writes numbers
	}
	return interval
}
