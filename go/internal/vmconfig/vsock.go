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

// The range of a guest's address. The addresses below are the hypervisor's, the loopback's and
// the host's; the one above is VMADDR_CID_ANY.
const (
	minCID = 3
	maxCID = 1<<32 - 2
)

// vhostVsock is the device that QEMU opens for a virtio-vsock device.
const vhostVsock = "/dev/vhost-vsock"

// CheckDevices checks the devices and directories of the host that the machine needs when it starts.
// CheckFiles, in contrast, also makes sense on the host that builds the machine.
func (m Machine) CheckDevices() error {
	for i, share := range m.Shares {
		if err := share.checkSource(i); err != nil {
			return err
		}
	}
	if m.Vsock == nil {
		return nil
	}
	file, err := os.OpenFile(vhostVsock, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("vsock: %w (load the host's module vhost_vsock and allow this user to open the device, or remove vsock from vm.json)", err)
	}
	return file.Close()
}
