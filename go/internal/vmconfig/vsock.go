package vmconfig

import (
	"fmt"
	"os"
)

// Vsock is a virtio-vsock device: sockets between guest and host without a
// network (vsock(7)).
type Vsock struct {
	// CID is the guest's address. Required.
	CID int `json:"cid"`
}

// The addresses that a guest can have: those below are the hypervisor's, the
// loopback's and the host's own, the one above stands for any.
const (
	minCID = 3
	maxCID = 1<<32 - 2
)

// vhostVsock is what QEMU opens for a virtio-vsock device.
const vhostVsock = "/dev/vhost-vsock"

// CheckDevices looks for what the machine needs of the host that starts it.
// That is not CheckFiles, which is for the host that builds it, too.
func (m Machine) CheckDevices() error {
	if m.Vsock == nil {
		return nil
	}
	file, err := os.OpenFile(vhostVsock, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("vsock: %w (load the host's module vhost_vsock and let this user open it, or leave vsock out of vm.json)", err)
	}
	return file.Close()
}
