// Package port opens a virtio-serial port by its name. It is used in the guest.
//
// It waits for a port that does not exist yet, and for a host that is not connected, without
// polling. (A kernel without network support does not report its devices; then the package polls
// every second.) Output to a host that has disconnected is dropped, so that the next one does
// not receive it.
//
// Source: Linux, drivers/char/virtio_console.c. The kernel makes /dev/vportNpM, with the port's
// name in sysfs. The links in /dev/virtio-ports, which need udev, are not used.
package port

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// names matches the files with the ports' names.
const names = "/sys/class/virtio-ports/*/name"

// Port is an open port. A port can be opened once at a time.
type Port struct {
	file *os.File
	raw  syscall.RawConn
}

// Open opens the port with a name. If it does not exist, Open waits until it does or ctx ends. The
// caller closes the port.
func Open(ctx context.Context, name string) (*Port, error) {
	events, err := listen()
	if err != nil {
		return nil, err
	}
	defer events.close()
	stop := context.AfterFunc(ctx, events.close)
	defer stop()
	for {
		device, err := find(name)
		if err != nil {
			return nil, err
		}
		if device != "" {
			return open(device)
		}
		if err := events.wait(ctx, "virtio-ports"); ctx.Err() != nil {
			return nil, context.Cause(ctx)
		} else if err != nil {
			return nil, err
		}
	}
}

// find returns the path of the port with a name, or "" if there is none.
func find(name string) (string, error) {
	files, err := filepath.Glob(names)
	if err != nil {
		return "", err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.TrimSpace(string(text)) == name { // an error means that the port was just removed
			return filepath.Join("/dev", filepath.Base(filepath.Dir(file))), nil
		}
	}
	return "", nil
}

func open(device string) (*Port, error) {
	file, err := os.OpenFile(device, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("port: %w (another agent uses it)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("port: %w", err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Port{file, raw}, nil
}

// Close closes the port, which ends Read and Write.
func (p *Port) Close() error { return p.file.Close() }

// Read reads from the host. If no host is connected, it waits for one. It returns an error only if
// the port is closed, which is io.EOF, or unplugged.
func (p *Port) Read(data []byte) (n int, err error) {
	wait := p.raw.Read(func(fd uintptr) bool {
		n, err = retry(func() (int, error) { return unix.Read(int(fd), data) })
		// 0 means that no host is connected. The kernel wakes this goroutine on input.
		return n > 0 || err != nil && !errors.Is(err, unix.EAGAIN)
	})
	return p.result(n, err, wait)
}

// Write writes to the host. If no host is connected, it drops data and returns no error.
func (p *Port) Write(data []byte) (written int, err error) {
	wait := p.raw.Write(func(fd uintptr) bool {
		for err = nil; written < len(data) && err == nil; {
			var n int
			n, err = retry(func() (int, error) { return unix.Write(int(fd), data[written:]) })
			written += max(n, 0)
		}
		if errors.Is(err, unix.EAGAIN) && hungUp(int(fd)) {
			written, err = len(data), nil
		}
		return !errors.Is(err, unix.EAGAIN)
	})
	return p.result(written, err, wait)
}

// result returns the result of a system call, or of the wait for it.
func (p *Port) result(n int, err, wait error) (int, error) {
	switch {
	case errors.Is(wait, os.ErrClosed):
		return max(n, 0), io.EOF
	case wait != nil:
		return max(n, 0), fmt.Errorf("port: %w", wait)
	case err != nil:
		return max(n, 0), fmt.Errorf("port %s: %w", p.file.Name(), err)
	}
	return n, nil
}

// hungUp reports whether no host is connected.
func hungUp(fd int) bool {
	state := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := retry(func() (int, error) { return unix.Poll(state, 0) })
	return err == nil && n > 0 && state[0].Revents&unix.POLLHUP != 0
}

// retry repeats a call that a signal has interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
