package vmconfig

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"microvm-console/internal/strictjson"
)

// Image is a file that the firmware boots, in place of a kernel that QEMU starts: a disk, a CD
// or a floppy disk. Its Format and Interface may follow from the file; see Machine.Boot.
type Image struct {
	// Path is the path of the file. Required.
	Path string `json:"path"`
	// Format is "raw", "qcow2" or "iso". Default: "iso" for a file with an ISO 9660 file
	// system, else "raw". "qcow2" is never guessed: a guest can write any header to a raw
	// disk, and one of qcow2 can name any file of the host.
	Format string `json:"format,omitempty"`
	// Interface is how a disk is attached: "virtio", "sata" or "floppy". Default: "floppy" for
	// a raw file of up to 1.44 MB, else "virtio". A CD is always on SATA.
	Interface string `json:"interface,omitempty"`
	// Snapshot makes QEMU write to a temporary file, which is removed when the VM ends.
	Snapshot bool `json:"snapshot,omitempty"`
	// Firmware is "bios" (default; SeaBIOS), or the path of a firmware, such as OVMF. QEMU
	// never writes to that file.
	Firmware string `json:"firmware,omitempty"`
}

// The values of Image.Format and Image.Interface.
var (
	ImageFormats    = []string{"raw", "qcow2", "iso"}
	ImageInterfaces = []string{"virtio", "sata", "floppy"}
)

// CustomFirmware returns the path in Firmware; "" for SeaBIOS.
func (i Image) CustomFirmware() string {
	if i.Firmware == "bios" {
		return ""
	}
	return i.Firmware
}

// validateImage validates that there is either a kernel or an image, and the image.
func (m Machine) validateImage(wrong func(field, format string, args ...any)) {
	if m.Image == nil {
		if m.Kernel == "" {
			or := ""
			if m.Architecture().PC {
				or = ", or set image"
			}
			wrong("kernel", "is missing (set it to the path of %s%s)", m.Architecture().kernelKind, or)
		}
		return
	}
	if m.Kernel != "" {
		wrong("image", "cannot be combined with kernel (remove one of the two)")
	} else {
		if m.Initrd != "" {
			wrong("initrd", "needs kernel (an image contains its own)")
		}
		if len(m.KernelParams) > 0 {
			wrong("kernelParams", "needs kernel (set the parameters in the boot loader of the image)")
		}
	}
	if m.Type == "microvm" {
		wrong("machine", `"microvm" cannot boot an image (use q35 or auto)`)
	}
	i := m.Image
	if i.Path == "" {
		wrong("image.path", "is missing")
	}
	if i.Format != "" && !slices.Contains(ImageFormats, i.Format) {
		wrong("image.format", "unknown format %q (choose %s)", i.Format, strings.Join(ImageFormats, ", "))
	}
	if i.Interface != "" && !slices.Contains(ImageInterfaces, i.Interface) {
		wrong("image.interface", "unknown interface %q (choose %s)", i.Interface, strings.Join(ImageInterfaces, ", "))
	}
	if i.Format == "iso" && i.Interface != "" {
		wrong("image.interface", "cannot be combined with format iso (a CD is always on SATA)")
	}
}

// Places and contents by which an image is recognized.
const (
	sector      = 512
	maxFloppy   = 1440 << 10
	cdSector    = 2048
	cdFirst     = 16 * cdSector // the volume descriptors of a CD (ECMA-119, 8.1)
	cdMagic     = "CD001"
	elTorito    = "EL TORITO SPECIFICATION"
	qcow2Magic  = "QFI\xfb" // docs/interop/qcow2.txt in QEMU
	bootMagic   = "\x55\xaa"
	bootMagicAt = sector - len(bootMagic)
)

// boot returns how the image is attached. Its error names the field of vm.json.
func (i Image) boot() (Boot, error) {
	file, head, err := openHead(i.Path, cdFirst+2*cdSector)
	if err != nil {
		return Boot{}, strictjson.Mistakef("image.path", "%w", err)
	}
	defer file.Close()
	b, err := i.recognize(head)
	if err != nil {
		return Boot{}, err
	}
	if b.Interface == "" {
		b.Interface = "virtio"
		if info, err := file.Stat(); err == nil && b.Format == "raw" && info.Size() <= maxFloppy {
			b.Interface = "floppy"
		}
	}
	if b.Interface != "cd" && !i.Snapshot && unix.Access(i.Path, unix.W_OK) != nil {
		return Boot{}, strictjson.Mistakef("image.snapshot", "%s cannot be written (set snapshot to true, or use a copy of the file)", i.Path)
	}
	return b, nil
}

// recognize returns how a file that begins with head is attached; Interface is "" if that
// follows from the file's size. Its error names the field of vm.json.
func (i Image) recognize(head []byte) (Boot, error) {
	switch {
	case (i.Format == "" || i.Format == "iso") && has(head, cdFirst+1, cdMagic):
		return i.recognizeCD(head)
	case i.Format == "iso":
		return Boot{}, i.wrong("format", "has no ISO 9660 file system (leave format out)")
	case wrongFormat(i.Format, head) != "":
		return Boot{}, i.wrong("format", wrongFormat(i.Format, head))
	case i.Format == "qcow2":
		return Boot{Format: "qcow2", Interface: i.Interface}, nil
	case !has(head, bootMagicAt, bootMagic):
		return Boot{}, i.wrong("path", "cannot boot: its first 512 bytes do not end with 55 aa, as a boot sector or a partition table does (name a bootable disk)")
	}
	return Boot{Format: "raw", Interface: i.Interface}, nil
}

// recognizeCD is recognize for a file with an ISO 9660 file system.
func (i Image) recognizeCD(head []byte) (Boot, error) {
	switch {
	case i.Interface != "":
		return Boot{}, i.wrong("interface", "is an ISO, and a CD is always on SATA (leave interface out, or set format to raw to use it as a disk)")
	case !has(head, cdFirst+cdSector+7, elTorito):
		return Boot{}, i.wrong("path", "is an ISO that cannot boot (make one with a boot record: xorriso -as mkisofs -b, or grub-mkrescue)")
	}
	return Boot{Format: "raw", Interface: "cd"}, nil
}

// wrong returns a mistake in a field of the image.
func (i Image) wrong(field, text string) error {
	return strictjson.Mistakef("image."+field, "%s %s", i.Path, text)
}

// has reports whether data has text at a position.
func has(data []byte, at int, text string) bool {
	return len(data) >= at+len(text) && bytes.Equal(data[at:at+len(text)], []byte(text))
}

// checkFirmware returns an error unless path can be the content of QEMU's flash memory.
func checkFirmware(path string) error {
	if err := readable(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() == 0 || info.Size()%flashBlock != 0 || info.Size() > maxFlash {
		return fmt.Errorf("%s is not a firmware: its size is not a multiple of 4 KiB up to 8 MiB", path)
	}
	return nil
}

// The sizes of flash memory that QEMU accepts (hw/i386/pc_sysfw.c).
const (
	flashBlock = 4 << 10
	maxFlash   = 8 << 20
)
