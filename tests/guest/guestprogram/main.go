// Guestprogram runs in a guest and tries the kernel features that programs need. It prints
// "fine: NAME" or "lacking: NAME: ERROR" for each, then "tried".
package main

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

var needs = []struct {
	name string
	try  func() error
}{
	{"random numbers", random},
	{"scripts", scripts},
	{"pseudo terminals", pseudoTerminal},
	{"Unix sockets", unixSocket},
	{"vsock within the guest", vsockLoopback},
	{"file locks", fileLock},
	{"eventfd", func() error { return descriptor(syscall.SYS_EVENTFD2, 0, 0, 0, 0) }},
	{"timerfd", func() error { return descriptor(syscall.SYS_TIMERFD_CREATE, 0, 0, 0, 0) }},
	{"signalfd", signalDescriptor},
	{"vsock to the host", func() error { return character("/dev/vsock") }},
	{"the power button", func() error { return character("/dev/input/event0") }},
	{"a disk in memory with a size", memoryDisk},
}

func main() {
	for _, need := range needs {
		if err := need.try(); err != nil {
			fmt.Printf("lacking: %s: %v\n", need.name, err)
			continue
		}
		fmt.Printf("fine: %s\n", need.name)
	}
	fmt.Println("tried")
}

// random checks that the random number generator is ready: reading does not block.
func random() error {
	begin := time.Now()
	if _, err := rand.Read(make([]byte, 64)); err != nil {
		return err
	}
	if waited := time.Since(begin); waited > 10*time.Second {
		return fmt.Errorf("reading took %v", waited)
	}
	return nil
}

func scripts() error {
	path := filepath.Join(os.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho $((6*7))\n"), 0o700); err != nil {
		return err
	}
	output, err := exec.Command(path).Output()
	if err == nil && string(output) != "42\n" {
		err = fmt.Errorf("the output is %q", output)
	}
	return err
}

// pseudoTerminal opens a pseudo-terminal, as an agent does to start a shell.
func pseudoTerminal() error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer master.Close()
	var number, unlock uint32
	for request, value := range map[uintptr]*uint32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlock} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			return os.NewSyscallError("ioctl", errno)
		}
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	return slave.Close()
}

// unixSocket sends a text over a Unix socket; both ends wait with epoll.
func unixSocket() error {
	listener, err := net.Listen("unix", filepath.Join(os.TempDir(), "socket"))
	if err != nil {
		return err
	}
	defer listener.Close()
	go func() {
		if conn, err := net.Dial("unix", listener.Addr().String()); err == nil {
			_, _ = conn.Write([]byte("hello")) // on an error the reader gets nothing
			conn.Close()
		}
	}()
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	data := make([]byte, 16)
	n, err := conn.Read(data)
	if err == nil && string(data[:n]) != "hello" {
		err = fmt.Errorf("received %q", data[:n])
	}
	return err
}

func fileLock() error {
	file, err := os.CreateTemp("", "lock")
	if err != nil {
		return err
	}
	defer file.Close()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

func signalDescriptor() error {
	signals := uint64(1) << (syscall.SIGUSR1 - 1)
	return descriptor(syscall.SYS_SIGNALFD4, ^uintptr(0), uintptr(unsafe.Pointer(&signals)), unsafe.Sizeof(signals), 0)
}

// descriptor makes a system call that returns a file descriptor.
func descriptor(call, a, b, c, d uintptr) error {
	fd, _, errno := syscall.Syscall6(call, a, b, c, d, 0, 0)
	if errno != 0 {
		return errno
	}
	return syscall.Close(int(fd))
}

func character(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Mode()&os.ModeCharDevice == 0 {
		err = fmt.Errorf("%s: not a character device", path)
	}
	return err
}

func memoryDisk() error {
	mounts, err := os.ReadFile("/proc/mounts")
	if err == nil && !strings.Contains(string(mounts), " /tmp tmpfs ") {
		err = fmt.Errorf("no tmpfs on /tmp: %s", mounts)
	}
	if err != nil {
		return err
	}
	var status syscall.Statfs_t
	err = syscall.Statfs("/tmp", &status)
	if err == nil && status.Blocks == 0 {
		err = fmt.Errorf("/tmp has no size")
	}
	return err
}
