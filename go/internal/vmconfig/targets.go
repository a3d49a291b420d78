package vmconfig

import (
	"fmt"
	"path"
	"strings"
	"unicode"
)

// validateTargets validates the directories at which our guest image mounts disks and shares, and
// that they differ.
func (m Machine) validateTargets(wrong func(field, format string, args ...any)) {
	seen := map[string]string{} // the field that has a target
	check := func(owner, target string) {
		field := owner + ".target"
		if err := checkTarget(target); err != nil {
			wrong(field, "%v", err)
		} else if first, ok := seen[target]; ok {
			wrong(field, "%q is also the target of %s (targets must differ)", target, first)
		} else {
			seen[target] = owner
		}
	}
	for i, disk := range m.Disks {
		if disk.Target != "" {
			check(fmt.Sprintf("disks[%d]", i), disk.Target)
		}
	}
	for i, share := range m.Shares {
		if share.Target != "" {
			check(fmt.Sprintf("shares[%d]", i), share.Target)
		}
	}
}

// checkTarget returns an error unless target is an absolute path other than "/" that can be a part
// of a kernel parameter and of a word of the guest's scripts.
func checkTarget(target string) error {
	forbidden := func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(",\"'\\*?[$`", r)
	}
	switch {
	case !path.IsAbs(target) || path.Clean(target) != target || target == "/":
		return fmt.Errorf(`invalid target %q: want an absolute path other than "/", without ".." or a trailing slash`, target)
	case strings.ContainsFunc(target, forbidden):
		return fmt.Errorf("invalid target %q: want no white space, commas, quotes and characters that are special in a shell", target)
	}
	return nil
}
