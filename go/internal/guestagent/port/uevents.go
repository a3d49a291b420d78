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

// uevents receives the kernel's messages about devices (Documentation/core-api/kobject.rst,
// netlink(7)).
type uevents struct {
	file *os.File // nil if the kernel has no network support, and so no messages
}

// pollInterval is how long wait waits without messages.
const pollInterval = time.Second

// kernelGroup is the multicast group of messages from the kernel.
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

// wait waits for a message about a device of a subsystem, or without messages for pollInterval.
func (u uevents) wait(ctx context.Context, subsystem string) error {
	if u.file == nil {
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
		return nil
	}
	word := []byte("\x00SUBSYSTEM=" + subsystem + "\x00")
	message := make([]byte, 8<<10)
	for {
		n, err := u.file.Read(message)
		if errors.Is(err, unix.ENOBUFS) {
			return nil // messages were lost
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
		_ = u.file.Close() // may be closed already
	}
}
