// Package rundir makes every path of a machine and of a channel, and makes sure
// that its folder is ours alone.
//
// A machine lives in $XDG_RUNTIME_DIR/microvm/<name>/, or in
// /tmp/microvm-<uid>/<name>/ where that variable is not set; a channel in
// $XDG_RUNTIME_DIR/qemu-relay/<channel>/, with its endpoints in /tmp. A name that
// exists is used only if it belongs to us and is of the right kind.
package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxSocketPath is the longest path a Unix socket can have, in bytes
// (unix(7): sun_path, less its closing NUL).
const maxSocketPath = 107

// Machine is the folder of one machine.
type Machine struct {
	base string
	name string
}

// Base is the folder of all machines of this user.
func Base() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "microvm")
	}
	return filepath.Join("/tmp", "microvm-"+strconv.Itoa(os.Getuid()))
}

// Of is the folder of the machine called name. Nothing is created.
func Of(name string) Machine { return Machine{Base(), name} }

// Name is the machine's name.
func (m Machine) Name() string { return m.name }

// Path is the folder itself.
func (m Machine) Path() string { return filepath.Join(m.base, m.name) }

// Ctl is the control socket (HTTP).
func (m Machine) Ctl() string { return filepath.Join(m.Path(), "ctl") }

// Lock is the file whose flock the machine's owner holds.
func (m Machine) Lock() string { return filepath.Join(m.Path(), lockName) }

const lockName = "lock"

// State is state.json.
func (m Machine) State() string { return filepath.Join(m.Path(), "state.json") }

// Console is the folder of one console's relay.
func (m Machine) Console(console string) string { return filepath.Join(m.Path(), console) }

// Socket returns the Unix socket of a console's relay, in its folder.
func Socket(console string) string { return filepath.Join(console, "sock") }

// Journal is the folder of one console's stream, which outlives the machine:
// $XDG_STATE_HOME/microvm/<name>/<console>, with ~/.local/state where that
// variable is not set.
func (m Machine) Journal(console string) (string, error) { return state("microvm", m.name, console) }

// state is a folder below $XDG_STATE_HOME.
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

// CheckSocket tells whether a Unix socket can have the path.
func CheckSocket(path string) error {
	if length := len(path); length > maxSocketPath {
		return fmt.Errorf("%s: is %d bytes long, a Unix socket's path has at most %d (use a shorter name or XDG_RUNTIME_DIR)",
			path, length, maxSocketPath)
	}
	return nil
}

// Create makes the folder, mode 0700. Its errors name a folder that is not
// ours, a runtime folder that others can write to, and a path that is too long for a
// Unix socket.
func (m Machine) Create() error {
	if err := CheckSocket(m.Ctl()); err != nil {
		return err
	}
	if err := checkRuntimeDir(); err != nil {
		return err
	}
	for _, dir := range []string{m.base, m.Path()} {
		if err := private(dir); err != nil {
			return err
		}
	}
	return nil
}

// private makes the folder path, or accepts one that is a folder of ours, and
// closes it to others.
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

// ours is an error unless path is a folder of ours, and no link to one.
func ours(path string) error {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	switch {
	case stat.Mode&unix.S_IFMT == unix.S_IFLNK:
		return fmt.Errorf("%s: is a symbolic link (remove it, or set XDG_RUNTIME_DIR)", path)
	case stat.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%s: is no folder (remove it, or set XDG_RUNTIME_DIR)", path)
	case int(stat.Uid) != os.Getuid():
		return fmt.Errorf("%s: belongs to user %d, not to us (set XDG_RUNTIME_DIR to a folder of your own)", path, stat.Uid)
	}
	return nil
}
