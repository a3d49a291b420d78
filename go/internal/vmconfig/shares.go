package vmconfig

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
	"microvm-console/internal/suggest"
)

// Share is a directory of the host that the guest can mount.
type Share struct {
	// Source is the directory on the host. Required.
	Source string `json:"source"`
	// Target is the absolute path at which our guest image mounts it. Required.
	Target string `json:"target"`
	// ReadOnly is whether the guest can only read. Default true.
	ReadOnly *bool `json:"readOnly,omitempty"`
	// Driver is "9p" or "virtiofs". Default: the one that the kernel has; 9p if it has both. See
	// ChooseDrivers.
	Driver string `json:"driver,omitempty"`
}

// The values of Share.Driver.
const (
	P9       = "9p"
	Virtiofs = "virtiofs"
)

// Drivers are the values of Share.Driver, in the order in which ChooseDrivers prefers them.
var Drivers = []string{P9, Virtiofs}

// Writable reports whether the guest can write to the share.
func (s Share) Writable() bool { return s.ReadOnly != nil && !*s.ReadOnly }

// ShareTag returns the name by which the guest mounts the share of an index in Machine.Shares.
func ShareTag(i int) string { return "share" + strconv.Itoa(i) }

// validateShares validates each share; validateTargets validates its target.
func (m Machine) validateShares(wrong func(field, format string, args ...any)) {
	for i, share := range m.Shares {
		field := fmt.Sprintf("shares[%d]", i)
		switch {
		case share.Source == "":
			wrong(field+".source", "is missing (set it to a directory of this host)")
		case strings.ContainsRune(share.Source, 0):
			wrong(field+".source", "invalid path %q", share.Source)
		}
		if share.Target == "" {
			wrong(field+".target", "is missing (set it to the path in the guest)")
		}
		if share.Driver != "" && !slices.Contains(Drivers, share.Driver) {
			wrong(field+".driver", "unknown driver %q%s", share.Driver, suggest.HintOrKnown(share.Driver, Drivers))
		}
	}
}

// CheckShares checks the directories of shares. It returns a *multierror.Error with a mistake for
// each one that is missing or that this user cannot read. As CheckDisks, it is for the host that
// starts the machine only.
func (m Machine) CheckShares() error {
	var errs *multierror.Error
	for i, share := range m.Shares {
		if err := share.checkSource(i); err != nil {
			errs = multierror.Append(errs, err)
		}
	}
	return errs.ErrorOrNil()
}

// checkSource returns a mistake unless the source of s, the share of an index in Machine.Shares, is a
// directory that this user can read.
func (s Share) checkSource(i int) error {
	if err := readableDir(s.Source); err != nil {
		return strictjson.Mistakef(fmt.Sprintf("shares[%d].source", i), "%w (set it to a directory that this user can read)", err)
	}
	return nil
}

// readableDir returns an error unless path is a directory that can be read.
func readableDir(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", path)
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return dir.Close()
}
