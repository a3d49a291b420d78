package qemu

import (
	"fmt"
	"strconv"
	"strings"

	"microvm-console/internal/vmconfig"
)

// shares returns the arguments for the shared directories. Each share must have a driver.
func shares(m vmconfig.Machine, h Host) []string {
	var args []string
	if sharedMemory(m) != "" {
		args = append(args, "-object", "memory-backend-memfd,id="+memoryID+",size="+strconv.Itoa(m.MemoryMiB)+"M,share=on")
	}
	for i, share := range m.Shares {
		if share.Driver == vmconfig.Virtiofs {
			args = append(args, virtiofs(vmconfig.ShareTag(i), h)...)
		} else {
			args = append(args, p9(vmconfig.ShareTag(i), share, h)...)
		}
	}
	return args
}

// p9 returns the arguments for a share by 9p, which QEMU serves itself.
//
// With the security model "none", a file that the guest creates belongs to the user that runs QEMU,
// and has the mode that the guest has set; only root's QEMU can give it another owner. The mapped
// models would keep both in extended attributes, which the other programs of the host do not read.
// The source may have files of several file systems, whose inode numbers QEMU makes unique.
func p9(tag string, share vmconfig.Share, h Host) []string {
	fsdev := fmt.Sprintf("local,id=%s,path=%s,security_model=none,multidevs=remap", tag, escaped(share.Source))
	if !share.Writable() {
		fsdev += ",readonly=on"
	}
	return []string{"-fsdev", fsdev, "-device", fmt.Sprintf("%s,fsdev=%s,mount_tag=%s", virtioDevice("virtio-9p", h), tag, tag)}
}

// virtiofs returns the arguments for a share by virtiofs, which virtiofsd serves on a socket.
func virtiofs(tag string, h Host) []string {
	return []string{
		"-chardev", fmt.Sprintf("socket,id=%s,path=%s", tag, escaped(h.ShareSocket(tag))),
		"-device", fmt.Sprintf("%s,chardev=%s,tag=%s", virtioDevice("vhost-user-fs", h), tag, tag),
	}
}

// virtioDevice returns the name of a virtio device for the machine's bus.
func virtioDevice(name string, h Host) string {
	if h.Type == "microvm" {
		return name + "-device" // virtio over mmio
	}
	return name + "-pci"
}

// memoryID is the id of the guest's memory if virtiofsd shares it.
const memoryID = "memory"

// sharedMemory returns the addition to -machine that makes the guest's memory accessible to
// virtiofsd, if a share needs it.
func sharedMemory(m vmconfig.Machine) string {
	for _, share := range m.Shares {
		if share.Driver == vmconfig.Virtiofs {
			return ",memory-backend=" + memoryID
		}
	}
	return ""
}

// shareParams returns the kernel parameters that our guest image reads:
// "microvm.share=TAG,DRIVER,TARGET,rw" or "…,ro" for each share with a target.
func shareParams(m vmconfig.Machine) []string {
	var params []string
	for i, share := range m.Shares {
		if share.Target == "" {
			continue // a guest of package hostroot mounts it
		}
		mode := "ro"
		if share.Writable() {
			mode = "rw"
		}
		params = append(params, "microvm.share="+strings.Join([]string{vmconfig.ShareTag(i), share.Driver, share.Target, mode}, ","))
	}
	return params
}
