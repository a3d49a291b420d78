// Package rundir makes every path of a machine and of a channel, and makes sure that their
// folders belong to this user alone.
//
// A machine has $XDG_RUNTIME_DIR/microvm/<name>/, or /tmp/microvm-<uid>/<name>/ without
// that variable; a channel has $XDG_RUNTIME_DIR/qemu-relay/<channel>/, and its endpoints in
// a public folder such as /tmp. A name that exists is used only if it belongs to this user
// and is of the right kind.
package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// maxSocketPath is the longest path of a Unix socket, in bytes (unix(7): sun_path, less
// its closing NUL).
const maxSocketPath = 107

// Folder is the private folder of a machine or a channel.
type Folder struct{ base, name string }

// Name returns the name of the machine or channel.
func (f Folder) Name() string { return f.name }

// Path returns the folder itself.
func (f Folder) Path() string { return filepath.Join(f.base, f.name) }

// Ctl returns the control socket (HTTP).
func (f Folder) Ctl() string { return filepath.Join(f.Path(), "ctl") }

// Lock returns the file whose flock(2) the owner holds.
func (f Folder) Lock() string { return filepath.Join(f.Path(), lockName) }

const lockName = "lock"

// Create makes the folder, mode 0700. It returns an error that names the folder if it is
// another user's, a runtime folder that others can write to, or a path that is too long
// for a Unix socket.
func (f Folder) Create() error {
	if err := CheckSocket(f.Ctl()); err != nil {
		return err
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

// private makes the folder path, or takes one of ours, and closes it to others.
func private(path string) error {
	for {
		if err := os.Mkdir(path, 0o700); err == nil || !os.IsExist(err) {
			return err
		}
		err := ours(path)
		if err == nil {
			err = os.Chmod(path, 0o700)
		}
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		// The last owner has just removed the folder.
	}
}

// ours returns an error unless path is a folder of ours, and no link to one.
func ours(path string) error {
	exists, err := Usable(path, os.ModeDir)
	if foreign := (*ForeignError)(nil); errors.As(err, &foreign) {
		return fmt.Errorf("%s: %s (remove it, or set XDG_RUNTIME_DIR to a folder of your own)", path, foreign.Why)
	}
	if err == nil && !exists {
		return &os.PathError{Op: "lstat", Path: path, Err: os.ErrNotExist}
	}
	return err
}

// CheckSocket returns an error if a path is too long for a Unix socket.
func CheckSocket(path string) error {
	if length := len(path); length > maxSocketPath {
		return fmt.Errorf("%s: is %d bytes long, a Unix socket's path has at most %d (use a shorter name or XDG_RUNTIME_DIR)",
			path, length, maxSocketPath)
	}
	return nil
}

// Machine is the folder of a machine. It is removed with the machine.
type Machine struct{ Folder }

// Base returns the folder of all machines of this user.
func Base() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "microvm")
	}
	return filepath.Join("/tmp", "microvm-"+strconv.Itoa(os.Getuid()))
}

// Of returns the folder of the machine called name. It makes nothing.
func Of(name string) Machine { return Machine{Folder{Base(), name}} }

// State returns state.json.
func (m Machine) State() string { return filepath.Join(m.Path(), "state.json") }

// Console returns the folder of one console's relay.
func (m Machine) Console(console string) string { return filepath.Join(m.Path(), console) }

// Socket returns the Unix socket of a console's relay, in its folder.
func Socket(console string) string { return filepath.Join(console, "sock") }

// Journal returns the folder of one console's stream, which outlives the machine:
// $XDG_STATE_HOME/microvm/<name>/<console>, or below ~/.local/state without that variable.
func (m Machine) Journal(console string) (string, error) { return state("microvm", m.name, console) }

// Running returns the machines of this user that a process owns, by name.
func Running() ([]Machine, error) { return locked(Base(), Of) }

// RunningChannels returns the channels of this user that a relay serves, by name.
func RunningChannels() ([]Channel, error) { return locked(channelBase(), OfChannel) }

// locked returns the folders in base whose locks are held, by name.
func locked[F interface{ Locked() (bool, error) }](base string, of func(name string) F) (found []F, err error) {
	if err := checkRuntimeDir(); err != nil {
		return nil, err
	}
	if err := ours(base); err != nil {
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

// Channel is the private folder of a channel's persistent relay. It stays when its owner
// ends: a QEMU may go on writing to its FIFO.
type Channel struct{ Folder }

// OfChannel returns the folder of the channel called name. It makes nothing.
func OfChannel(name string) Channel { return Channel{Folder{channelBase(), name}} }

// channelBase returns $XDG_RUNTIME_DIR/qemu-relay. Without that variable (su, cron) it is
// the user's folder all the same if there is one, so that the user's services are found;
// otherwise /tmp/qemu-relay-<uid>.
func channelBase() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = filepath.Join("/run/user", strconv.Itoa(os.Getuid()))
		if ours(dir) != nil {
			return filepath.Join("/tmp", "qemu-relay-"+strconv.Itoa(os.Getuid()))
		}
	}
	return filepath.Join(dir, "qemu-relay")
}

// VMLock returns the file whose flock(2) is held as long as a VM is attached to the channel.
func (c Channel) VMLock() string { return filepath.Join(c.Path(), "vm.lock") }

// Journal returns the folder of the channel's stream: $XDG_STATE_HOME/qemu-relay/<channel>,
// or below ~/.local/state without that variable.
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
