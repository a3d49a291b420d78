// Package rundir defines the paths of machines and channels, and ensures that their
// folders belong to this user alone.
//
// A machine has $XDG_RUNTIME_DIR/microvm/<name>/, or /tmp/microvm-<uid>/<name>/ if that
// variable is not set. A machine that is a system service has /run/microvm/<name>/, which
// systemd makes and removes. A channel has $XDG_RUNTIME_DIR/qemu-relay/<channel>/, and
// endpoints in a public folder such as /tmp. An existing path is used only if it belongs
// to this user and is of the right kind.
package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// maxSocketPath is the maximum length of the path of a Unix socket, in bytes (unix(7):
// sun_path without the terminating NUL).
const maxSocketPath = 107

// Folder is the private folder of a machine or a channel.
type Folder struct {
	base, name string
	given      bool // a service manager makes and removes it
}

// Name returns the name of the machine or the channel.
func (f Folder) Name() string { return f.name }

// Path returns the path of the folder.
func (f Folder) Path() string { return filepath.Join(f.base, f.name) }

// Ctl returns the path of the control socket (HTTP).
func (f Folder) Ctl() string { return filepath.Join(f.Path(), "ctl") }

// Lock returns the path of the file whose flock(2) the owner holds.
func (f Folder) Lock() string { return filepath.Join(f.Path(), lockName) }

const lockName = "lock"

// Create creates the folder, mode 0700, unless a service manager has made it. It returns an
// error if the folder belongs to another user, if other users can write to $XDG_RUNTIME_DIR,
// or if the paths are too long for a Unix socket.
func (f Folder) Create() error {
	if err := CheckSocket(f.Ctl()); err != nil {
		return err
	}
	if f.given {
		return f.createGiven()
	}
	if err := checkRuntimeDir(); err != nil {
		return err
	}
	for _, dir := range []string{f.base, f.Path()} {
		if err := private(dir); err != nil {
			return err
		}
	}
	return nil
}

// private creates the folder path, or makes an existing one of this user inaccessible to
// others.
func private(path string) error {
	for {
		if err := os.Mkdir(path, 0o700); err == nil || !os.IsExist(err) {
			return err
		}
		err := checkOwn(path)
		if err == nil {
			err = os.Chmod(path, 0o700)
		}
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		// The last owner has just removed the folder: try again.
	}
}

// checkOwn returns an error unless path is a folder of this user, and not a link.
func checkOwn(path string) error {
	exists, err := Usable(path, os.ModeDir)
	if foreign := (*ForeignError)(nil); errors.As(err, &foreign) {
		return fmt.Errorf("%s: %s (remove it, or set XDG_RUNTIME_DIR to a folder of your own)", path, foreign.Why)
	}
	if err == nil && !exists {
		return &os.PathError{Op: "lstat", Path: path, Err: os.ErrNotExist}
	}
	return err
}

// CheckSocket returns an error if path is too long for a Unix socket.
func CheckSocket(path string) error {
	if length := len(path); length > maxSocketPath {
		return fmt.Errorf("%s: path too long for a Unix socket: %d bytes, at most %d (use a shorter name or a shorter XDG_RUNTIME_DIR)",
			path, length, maxSocketPath)
	}
	return nil
}

// Machine is the folder of a machine. It exists as long as the machine.
type Machine struct {
	Folder
	state string // what stays of the machine; "" for the folder below $XDG_STATE_HOME
}

// Base returns the folder that contains the folders of this user's machines, except those that
// are system services.
func Base() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "microvm")
	}
	return filepath.Join("/tmp", "microvm-"+strconv.Itoa(os.Getuid()))
}

// Of returns the folder of this process's machine with this name: the one that its service
// manager has made, in RUNTIME_DIRECTORY and STATE_DIRECTORY, or else one in Base. It does not
// create it.
func Of(name string) Machine {
	if dir := given("RUNTIME_DIRECTORY", name); dir != "" {
		return Machine{Folder{base: filepath.Dir(dir), name: name, given: true}, given("STATE_DIRECTORY", name)}
	}
	return Machine{Folder: Folder{base: Base(), name: name}}
}

// State returns the path of state.json.
func (m Machine) State() string { return filepath.Join(m.Path(), "state.json") }

// GDB returns the path of the Unix socket on which QEMU serves gdb.
func (m Machine) GDB() string { return filepath.Join(m.Path(), "gdb") }

// Initrd returns the path of an initramfs that is made at the start of the machine.
func (m Machine) Initrd() string { return filepath.Join(m.Path(), "initrd") }

// ShareSocket returns the socket of the process that serves a share, by the share's tag.
func (m Machine) ShareSocket(tag string) string { return filepath.Join(m.Path(), tag+".sock") }

// Console returns the folder of a console's relay.
func (m Machine) Console(console string) string { return filepath.Join(m.Path(), console) }

// OpenToGroup creates folders of a console, mode 0750, if the machine is for a group. Otherwise it
// does nothing.
func (m Machine) OpenToGroup(folders ...string) error {
	if !m.ForGroup() {
		return nil
	}
	for _, folder := range folders {
		if err := errors.Join(os.MkdirAll(folder, 0o750), os.Chmod(folder, 0o750)); err != nil {
			return err
		}
	}
	return nil
}

// Socket returns the Unix socket of a console's relay, given the relay's folder.
func Socket(console string) string { return filepath.Join(console, "sock") }

// Journal returns the folder of a console's journal, which remains when the machine has
// ended: $XDG_STATE_HOME/microvm/<name>/<console>, or the same below ~/.local/state if
// that variable is not set. For a system service, it is /var/lib/microvm/<name>/<console>.
func (m Machine) Journal(console string) (string, error) { return m.kept(console) }

// RunLog returns the file with the output of a microvm-run in the background, in the folder of
// the machine's journals: $XDG_STATE_HOME/microvm/<name>/run.log.
func (m Machine) RunLog() (string, error) { return m.kept("run.log") }

// Crashes is the folder of crash bundles, in the folder of the machine's journals. No console has
// this name.
const Crashes = "crashes"

// Disk returns the file of one of the machine's own disks, in the folder of its journals:
// $XDG_STATE_HOME/microvm/<name>/<disk>.raw.
func (m Machine) Disk(disk string) (string, error) { return m.kept(DiskFile(disk)) }

// DiskFile returns the name of the file of a machine's own disk. No console has such a name.
func DiskFile(disk string) string { return disk + ".raw" }

// kept returns a path in the folder of what stays of the machine.
func (m Machine) kept(name string) (string, error) {
	if m.state != "" {
		return filepath.Join(m.state, name), nil
	}
	return state("microvm", m.name, name)
}

// Running returns the machines that are running and that this user may use, sorted by name: the
// user's own, and system services. A machine of the user hides a system service of the same name.
func Running() ([]Machine, error) {
	own, err := locked(Base(), func(name string) Machine { return Machine{Folder: Folder{base: Base(), name: name}} })
	if err != nil {
		return nil, err
	}
	return withSystem(own, runningSystem(systemBase, systemState)), nil
}

// RunningChannels returns the channels of this user that a relay serves, sorted by name.
func RunningChannels() ([]Channel, error) { return locked(channelBase(), OfChannel) }

// locked returns the folders in base whose locks are held, sorted by name.
func locked[F interface{ Locked() (bool, error) }](base string, of func(name string) F) (found []F, err error) {
	if err := checkRuntimeDir(); err != nil {
		return nil, err
	}
	if err := checkOwn(base); err != nil {
		return nil, unlessGone(err)
	}
	entries, err := os.ReadDir(base)
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		folder := of(entry.Name())
		held, err := folder.Locked()
		if err != nil {
			return nil, err
		}
		if held {
			found = append(found, folder)
		}
	}
	return found, err
}

// Channel is the private folder of a channel's persistent relay. It remains when the
// relay ends, because a QEMU may continue to write to its FIFO.
type Channel struct{ Folder }

// OfChannel returns the folder of the channel with this name. It does not create it.
func OfChannel(name string) Channel { return Channel{Folder{base: channelBase(), name: name}} }

// channelBase returns $XDG_RUNTIME_DIR/qemu-relay. If that variable is not set (su,
// cron), it uses /run/user/<uid> if that exists, so that the user's services are found,
// otherwise /tmp/qemu-relay-<uid>.
func channelBase() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = filepath.Join("/run/user", strconv.Itoa(os.Getuid()))
		if checkOwn(dir) != nil {
			return filepath.Join("/tmp", "qemu-relay-"+strconv.Itoa(os.Getuid()))
		}
	}
	return filepath.Join(dir, "qemu-relay")
}

// VMLock returns the path of the file whose flock(2) is held while a VM is attached to
// the channel.
func (c Channel) VMLock() string { return filepath.Join(c.Path(), "vm.lock") }

// Journal returns the folder of the channel's journal:
// $XDG_STATE_HOME/qemu-relay/<channel>, or the same below ~/.local/state if that variable
// is not set.
func (c Channel) Journal() (string, error) { return state("qemu-relay", c.name) }

// state returns a folder below $XDG_STATE_HOME.
func state(words ...string) (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("journal: %w (set XDG_STATE_HOME)", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(append([]string{base}, words...)...), nil
}
