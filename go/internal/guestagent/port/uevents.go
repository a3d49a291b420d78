package port

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// uevents is what the kernel tells of its devices
// (Documentation/core-api/kobject.rst, netlink(7)).
type uevents struct {
	file *os.File // nil: a kernel without a network, which tells nobody
}

// lookAgain is how long to wait where nobody tells.
const lookAgain = time.Second

// kernelGroup is the multicast group of the kernel's own messages.
const kernelGroup = 1

func listen() (uevents, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return uevents{}, nil
	}
	if err != nil {
		return uevents{}, fmt.Errorf("uevents: %w", err)
	}
	file := os.NewFile(uintptr(fd), "uevents")
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		file.Close()
		return uevents{}, fmt.Errorf("uevents: %w", err)
	}
	return uevents{file}, nil
}

// wait waits for a message about a subsystem's device.
func (u uevents) wait(ctx context.Context, subsystem string) error {
	if u.file == nil {
		select {
		case <-ctx.Done():
		case <-time.After(lookAgain):
		}
		return nil
	}
	word := []byte("\x00SUBSYSTEM=" + subsystem + "\x00")
	message := make([]byte, 8<<10)
	for {
		n, err := u.file.Read(message)
		if errors.Is(err, unix.ENOBUFS) {
			return nil // some were lost: it may have been among them
		}
		if err != nil {
			return fmt.Errorf("uevents: %w", err)
		}
		if bytes.Contains(message[:n], word) {
			return nil
		}
	}
}

// close ends wait.
func (u uevents) close() {
	if u.file != nil {
		_ = u.file.Close() // a second time, too
	}
}
