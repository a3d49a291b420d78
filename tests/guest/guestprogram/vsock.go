package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// vsock(7): the family, and the guest's own address.
const (
	familyVsock = 40
	cidAny      = 1<<32 - 1
	cidLocal    = 1
)

// vsockAddress is struct sockaddr_vm.
type vsockAddress struct {
	family, _ uint16
	port, cid uint32
	_         [4]byte
}

// vsockLoopback sends a text from the guest to itself.
func vsockLoopback() error {
	const port = 1024
	server, err := vsock(syscall.SYS_BIND, vsockAddress{family: familyVsock, port: port, cid: cidAny})
	if err != nil {
		return err
	}
	defer server.Close()
	if err := syscall.Listen(int(server.Fd()), 1); err != nil {
		return os.NewSyscallError("listen", err)
	}
	client, err := vsock(syscall.SYS_CONNECT, vsockAddress{family: familyVsock, port: port, cid: cidLocal})
	if err != nil {
		return err
	}
	defer client.Close()
	fd, _, errno := syscall.Syscall6(syscall.SYS_ACCEPT4, server.Fd(), 0, 0, 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("accept", errno)
	}
	accepted := os.NewFile(fd, "accepted")
	defer accepted.Close()
	if _, err := client.WriteString("hello"); err != nil {
		return err
	}
	data := make([]byte, 16)
	n, err := accepted.Read(data)
	if err == nil && string(data[:n]) != "hello" {
		err = fmt.Errorf("received %q", data[:n])
	}
	return err
}

// vsock returns a stream socket that is bound or connected; call is SYS_BIND or SYS_CONNECT.
func vsock(call uintptr, address vsockAddress) (*os.File, error) {
	fd, err := syscall.Socket(familyVsock, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), "vsock")
	if _, _, errno := syscall.Syscall(call, uintptr(fd), uintptr(unsafe.Pointer(&address)), unsafe.Sizeof(address)); errno != 0 {
		file.Close()
		return nil, os.NewSyscallError("vsock", errno)
	}
	return file, nil
}
