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

// vsockLoopback passes a word from the guest to itself.
func vsockLoopback() error {
	const port = 1024
	server, err := vsock(syscall.SYS_BIND, vsockAddress{family: familyVsock, port: port, cid: cidAny})
	if err != nil {
		return err
	}
	defer syscall.Close(server)
	if err := syscall.Listen(server, 1); err != nil {
		return os.NewSyscallError("listen", err)
	}
	client, err := vsock(syscall.SYS_CONNECT, vsockAddress{family: familyVsock, port: port, cid: cidLocal})
	if err != nil {
		return err
	}
	defer syscall.Close(client)
	accepted, _, errno := syscall.Syscall6(syscall.SYS_ACCEPT4, uintptr(server), 0, 0, 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("accept", errno)
	}
	defer syscall.Close(int(accepted))
	if _, err := syscall.Write(client, []byte("hello")); err != nil {
		return os.NewSyscallError("write", err)
	}
	data := make([]byte, 16)
	n, err := syscall.Read(int(accepted), data)
	if err == nil && string(data[:n]) != "hello" {
		err = fmt.Errorf("%q came", data[:n])
	}
	return err
}

// vsock is a stream socket that is bound or connected.
func vsock(call uintptr, address vsockAddress) (int, error) {
	fd, err := syscall.Socket(familyVsock, syscall.SOCK_STREAM, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	if _, _, errno := syscall.Syscall(call, uintptr(fd), uintptr(unsafe.Pointer(&address)), unsafe.Sizeof(address)); errno != 0 {
		syscall.Close(fd)
		return 0, os.NewSyscallError("vsock", errno)
	}
	return fd, nil
}
