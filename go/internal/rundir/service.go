package rundir

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// The folders of the machines that are system services. systemd creates one in each for every
// such machine (RuntimeDirectory= and StateDirectory= in systemd.exec(5)).
const (
	systemBase  = "/run/microvm"
	systemState = "/var/lib/microvm"
)

// System returns the folder of the system service of the machine with this name. It exists as
// long as the service, and belongs to the service's user.
func System(name string) Machine { return systemAt(systemBase, systemState, name) }

func systemAt(base, state, name string) Machine {
	return Machine{Folder{base: base, name: name, given: true}, filepath.Join(state, name)}
}

// Find returns the folder of the machine that a user means by a name: the user's own one or,
// if that does not run, that of a system service, if there is one.
func Find(name string) Machine { return find(Of(name), System(name)) }

func find(own, system Machine) Machine {
	if held, err := own.Locked(); held || err != nil {
		return own
	}
	if system.check() == nil {
		return system
	}
	return own
}

// given returns the folder of the machine with this name out of those that a service manager
// has made for this process, which it lists in a variable; "" if there is none. Services of
// other programs, such as a CI, may start machines too: only a folder microvm/NAME counts.
func given(variable, name string) string {
	for dir := range strings.SplitSeq(os.Getenv(variable), ":") {
		if name != "" && filepath.IsAbs(dir) && strings.HasSuffix(dir, "/microvm/"+name) {
			return dir
		}
	}
	return ""
}

// checkGiven returns an error unless the folder of a service exists, and only root or this user
// can have made it: the user of the service may be any.
func (f Folder) checkGiven() error {
	for _, path := range []string{f.base, f.Path()} {
		info, err := os.Lstat(path)
		switch {
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s: is not a folder", path)
		case path == f.base && !onlyRootOrUs(info):
			return fmt.Errorf("%s: other users can write to it", path)
		}
	}
	return nil
}

// onlyRootOrUs reports whether no user except root and this one can write to a folder.
func onlyRootOrUs(info fs.FileInfo) bool {
	uid := int(info.Sys().(*syscall.Stat_t).Uid)
	return (uid == 0 || uid == os.Getuid()) && info.Mode().Perm()&0o022 == 0
}

// createGiven checks a folder that a service manager has made for this process.
func (f Folder) createGiven() error {
	if err := f.checkGiven(); err != nil {
		return err
	}
	info, err := os.Lstat(f.Path())
	switch {
	case err != nil:
		return err
	case int(info.Sys().(*syscall.Stat_t).Uid) != os.Getuid() || info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("RUNTIME_DIRECTORY: %s: must belong to this user alone (use RuntimeDirectory=microvm/%s)", f.Path(), f.name)
	}
	return nil
}

// IsService reports whether a service manager makes the folder: that of a system service.
func (f Folder) IsService() bool { return f.given }

// ForGroup reports whether the members of a group may use the machine: a service manager has
// made its folder, and the group can enter it (RuntimeDirectoryMode=0750).
func (f Folder) ForGroup() bool {
	info, err := os.Lstat(f.Path())
	return f.given && err == nil && info.Mode().Perm()&0o050 == 0o050
}

// Mode returns the permissions of a file or folder in the folder that clients use. private are
// those without a group.
func (f Folder) Mode(private os.FileMode) os.FileMode {
	if f.ForGroup() {
		return private | private>>3&0o070
	}
	return private
}

// forbidden adds to an error of this user's permissions who may use the machine of a service. It
// returns other errors unchanged.
func (f Folder) forbidden(err error) error {
	if !f.given || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	remedy := "use sudo"
	if info, problem := os.Lstat(f.Path()); problem == nil && f.ForGroup() {
		gid := strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Gid))
		remedy += ", or join the group " + groupName(gid)
	}
	return fmt.Errorf("%w (it is a system service: %s)", err, remedy)
}

// groupName returns the name of a group, or its ID if it has none.
func groupName(gid string) string {
	group, err := user.LookupGroupId(gid)
	if err != nil {
		return gid
	}
	return group.Name
}

// withSystem returns the machines of own and those of system, which this user may use, sorted
// by name. A machine of own hides one of system with the same name.
func withSystem(own, system []Machine) []Machine {
	all := slices.Clone(own)
	for _, machine := range system {
		if !slices.ContainsFunc(own, func(m Machine) bool { return m.name == machine.name }) {
			all = append(all, machine)
		}
	}
	slices.SortFunc(all, func(a, b Machine) int { return cmp.Compare(a.name, b.name) })
	return all
}

// runningSystem returns the machines of system services in base that run and that this user may
// use. The others are left out.
func runningSystem(base, state string) (found []Machine) {
	entries, _ := os.ReadDir(base) // none if it does not exist
	for _, entry := range entries {
		machine := systemAt(base, state, entry.Name())
		if held, err := machine.Locked(); err == nil && held {
			found = append(found, machine)
		}
	}
	return found
}
