package qemu

import (
	"strings"

	"microvm-console/internal/vmconfig"
)

// boot returns the arguments for what the machine starts: a kernel, or an image.
func boot(m vmconfig.Machine, h Host) []string {
	if m.Image != nil {
		return image(*m.Image, h.Boot)
	}
	args := []string{"-kernel", m.Kernel}
	if m.Initrd != "" {
		args = append(args, "-initrd", m.Initrd)
	}
	if params := KernelParams(m, h); len(params) > 0 {
		args = append(args, "-append", strings.Join(params, " "))
	}
	return args
}

// image returns the arguments for an image and its firmware.
func image(i vmconfig.Image, b vmconfig.Boot) []string {
	var args []string
	if firmware := i.CustomFirmware(); firmware != "" {
		// As flash memory, since -bios needs a multiple of 64 KiB. A UEFI firmware keeps its
		// variables in memory then.
		args = append(args, "-drive", "if=pflash,format=raw,readonly=on,file="+escaped(firmware))
	}
	drive := "if=none,id=image,format=" + b.Format + ",file=" + escaped(i.Path)
	switch {
	case b.Interface == "cd":
		drive += ",readonly=on"
	case i.Snapshot:
		drive += ",snapshot=on"
	}
	return append(append(args, "-drive", drive), imageDevices[b.Interface]...)
}

// imageDevices are the arguments for the device of an image, by Boot.Interface.
var imageDevices = map[string][]string{
	"virtio": {"-device", "virtio-blk-pci,drive=image,bootindex=0"},
	"sata":   {"-device", "ide-hd,bus=ide.0,drive=image,bootindex=0"},
	"cd":     {"-device", "ide-cd,bus=ide.0,drive=image,bootindex=0"},
	"floppy": {"-device", "isa-fdc,bootindexA=0", "-device", "floppy,drive=image"},
}

// machine returns the value of -machine. A guest that is not Linux gets all of QEMU's devices, but
// not graphics=off, with which SeaBIOS has ttyS0 as its screen and keyboard: SeaBIOS would take
// keys that a guest in real mode polls for.
func machine(h Host) string {
	if !h.Boot.Linux() && h.Type == "q35" {
		return "q35"
	}
	return platforms[h.Type].machine
}
