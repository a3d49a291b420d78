package vmconfig

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"microvm-console/internal/suggest"
)

// Disk is a virtio-blk disk of the guest: an existing file or block device (Path), or a file of
// the VM's own, which is made at the first start (SizeMiB). Exactly one of the two must be set.
type Disk struct {
	// Name identifies the disk: lower-case letters, digits and dashes, at most 20. Required.
	Name string `json:"name"`
	// Path is a file or a block device.
	Path string `json:"path,omitempty"`
	// SizeMiB is the size of the VM's own file in MiB.
	SizeMiB int `json:"sizeMiB,omitempty"`
	// Format is the format of Path: "raw" (default) or "qcow2". It is never guessed, since a
	// guest could write the header of another format to a raw disk.
	Format string `json:"format,omitempty"`
	// ReadOnly makes the disk read-only for the guest.
	ReadOnly bool `json:"readOnly,omitempty"`
	// Snapshot makes QEMU write to a temporary file, which is removed when the VM ends.
	Snapshot bool `json:"snapshot,omitempty"`
	// Serial is the serial number that the guest sees, at most 20 bytes. Default: Name.
	Serial string `json:"serial,omitempty"`
	// FS is the file system: with SizeMiB the one that the new disk gets ("ext4"), with Path the
	// one that the guest mounts.
	FS string `json:"fs,omitempty"`
	// Target is the directory at which our guest image mounts the disk. Default: it is not
	// mounted.
	Target string `json:"target,omitempty"`
}

// SerialNumber returns the serial number of the disk: Serial, or else Name.
func (d Disk) SerialNumber() string { return cmp.Or(d.Serial, d.Name) }

// ImageFormat returns the format of the disk's file: Format, or else "raw".
func (d Disk) ImageFormat() string { return cmp.Or(d.Format, Formats[0]) }

// Writable reports whether the VM changes the disk's file.
func (d Disk) Writable() bool { return !d.ReadOnly && !d.Snapshot }

// Formats are the values of Disk.Format, the default first.
var Formats = []string{"raw", "qcow2"}

// madeFS is the only file system that a new disk gets: every distribution's kernel has it, and
// mkfs.ext4 is in every distribution.
const madeFS = "ext4"

// The limits of Disk.SizeMiB. The smallest ext4 with a journal has about 2 MiB; the largest file on
// an ext4 has 16 TiB.
const (
	minDiskMiB = 4
	maxDiskMiB = 16<<20 - 1
)

var (
	diskNamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,19}$`)
	// A serial number is a part of a QEMU argument and of a kernel parameter.
	serialPattern = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,20}$`)
	fsPattern     = regexp.MustCompile(`^[a-z0-9_]+$`)
)

// WithoutChanges returns m with snapshots of its image and of those disks that it would change and
// that are not the VM's own, and with read-only shares.
func (m Machine) WithoutChanges() Machine {
	m.Shares = slices.Clone(m.Shares)
	for i := range m.Shares {
		m.Shares[i].ReadOnly = nil
	}
	if m.Image != nil {
		image := *m.Image
		image.Snapshot = true
		m.Image = &image
	}
	m.Disks = slices.Clone(m.Disks)
	for i, disk := range m.Disks {
		m.Disks[i].Snapshot = disk.Snapshot || disk.Path != "" && !disk.ReadOnly
	}
	return m
}

// validateDisks validates each disk, and that names and serial numbers differ.
func (m Machine) validateDisks(wrong func(field, format string, args ...any)) {
	names, serials := map[string]int{}, map[string]int{}
	for i, disk := range m.Disks {
		in := func(key, format string, args ...any) {
			wrong(fmt.Sprintf("disks[%d]%s", i, key), format, args...)
		}
		if !diskNamePattern.MatchString(disk.Name) {
			in(".name", "invalid name %q: want lower-case letters, digits and dashes, at most 20", disk.Name)
		} else if first, ok := names[disk.Name]; ok {
			in(".name", "%q is also the name of disks[%d] (names must differ)", disk.Name, first)
		} else {
			names[disk.Name] = i
			serial := disk.SerialNumber()
			if first, ok := serials[serial]; ok {
				in(".serial", "%q is also the serial number of disks[%d] (serial numbers must differ)", serial, first)
			}
			serials[serial] = i
		}
		if disk.Serial != "" && !serialPattern.MatchString(disk.Serial) {
			in(".serial", "invalid serial number %q: want letters, digits, '.', '_', ':' and '-', at most 20", disk.Serial)
		}
		disk.validateFile(in)
		disk.validateFS(in)
	}
}

// validateFile validates which file the disk has, and what is written to it. wrong reports a
// mistake in a field, which has a leading dot, or is "" for the disk.
func (d Disk) validateFile(wrong func(field, format string, args ...any)) {
	own := d.SizeMiB != 0
	switch {
	case d.Path == "" && !own:
		wrong("", "has neither path nor sizeMiB (set path to a file or a block device, or sizeMiB for a new disk)")
	case d.Path != "" && own:
		wrong("", "has both path and sizeMiB (remove one of them: sizeMiB is for a disk that the VM makes itself)")
	case own && (d.SizeMiB < minDiskMiB || d.SizeMiB > maxDiskMiB):
		wrong(".sizeMiB", "%d is out of range (%d to %d)", d.SizeMiB, minDiskMiB, maxDiskMiB)
	case own && d.ReadOnly:
		wrong(".readOnly", "a disk with sizeMiB would stay empty (remove readOnly, or set path)")
	}
	switch {
	case !slices.Contains(Formats, d.ImageFormat()):
		wrong(".format", "unknown format %q%s", d.Format, suggest.HintOrKnown(d.Format, Formats))
	case own && d.ImageFormat() != Formats[0]:
		wrong(".format", "a disk with sizeMiB is raw (remove format, or set path)")
	}
	if d.ReadOnly && d.Snapshot {
		wrong(".snapshot", "a read-only disk is never changed (remove snapshot, or readOnly)")
	}
}

// validateFS validates the file system of the disk, which its target needs.
func (d Disk) validateFS(wrong func(field, format string, args ...any)) {
	switch {
	case d.FS != "" && !fsPattern.MatchString(d.FS):
		wrong(".fs", "invalid file system %q: want the kernel's name, such as %q", d.FS, madeFS)
	case d.FS != "" && d.FS != madeFS && d.Path == "" && d.SizeMiB != 0:
		wrong(".fs", "%q: a new disk gets %s or no file system (set fs to %q, or set path to a disk with %s)", d.FS, madeFS, madeFS, d.FS)
	case d.FS == "" && d.Target != "":
		wrong(".target", "needs fs (set fs to the file system of the disk, such as %q)", madeFS)
	}
}
