// Package port opens a virtio-serial port by its name, in the guest.
//
// Its invariants: a port that is not there yet is waited for, as is a host that is
// not connected, without looking again and again; an answer to a host that has
// gone is dropped, so that the next one does not get it.
// (A kernel without a network does not tell of its devices: there it looks every
// second.)
//
// Source: Linux, drivers/char/virtio_console.c. In a guest with udev a port has
// a link in /dev/virtio-ports; the kernel itself gives /dev/vportNpM, and the name
// in sysfs, which is the same everywhere.
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

// names are the files with the ports' names.
const names = "/sys/class/virtio-ports/*/name"

// Port is an open port. One process at a time can have it.
type Port struct {
	file *os.File
	raw  syscall.RawConn
}

// Open opens the port called name. Where there is none it waits until there is one, or
// ctx ends. The caller closes it.
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

// find returns the device of the port called name; "": there is none.
func find(name string) (string, error) {
	files, err := filepath.Glob(names)
	if err != nil {
		return "", err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.TrimSpace(string(text)) == name { // one that has just gone has none
			return filepath.Join("/dev", filepath.Base(filepath.Dir(file))), nil
		}
	}
	return "", nil
}

func open(device string) (*Port, error) {
	file, err := os.OpenFile(device, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("port: %w (another agent serves it)", err)
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

// Close closes the port and ends reads and writes.
func (p *Port) Close() error { return p.file.Close() }

// Read reads what the host sends. While no host is connected, it waits for
// one: a port that has been unplugged, or closed, is its only end.
func (p *Port) Read(data []byte) (n int, err error) {
	wait := p.raw.Read(func(fd uintptr) bool {
		n, err = retry(func() (int, error) { return unix.Read(int(fd), data) })
		// 0: the host is not connected. The kernel wakes us when something comes.
		return n > 0 || err != nil && !errors.Is(err, unix.EAGAIN)
	})
	return p.result(n, err, wait)
}

// Write writes to the host, or drops data where none is connected.
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

// result is that of a call: its own, or that the wait for it has ended.
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

// hungUp tells whether no host is connected.
func hungUp(fd int) bool {
	state := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := retry(func() (int, error) { return unix.Poll(state, 0) })
	return err == nil && n > 0 && state[0].Revents&unix.POLLHUP != 0
}

// retry makes a call again that a signal has cut short.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
