package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrVMAttached is returned for a channel to which a VM is attached already.
var ErrVMAttached = errors.New("a VM is attached already")

// Channel is the private folder of one channel's persistent relay. Unlike a
// machine's it stays when its owner ends: a QEMU may go on to write to its FIFO.
type Channel struct {
	base string
	name string
}

// OfChannel is the folder of the channel called name. Nothing is created.
func OfChannel(name string) Channel { return Channel{channelBase(), name} }

// channelBase is $XDG_RUNTIME_DIR/qemu-relay. A shell without that variable
// (su, cron) meets the user's services all the same, where they have a folder;
// else it is /tmp/qemu-relay-<uid>.
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

// Name is the channel's name.
func (c Channel) Name() string { return c.name }

// Path is the folder itself: vm.in and vm.out are in it.
func (c Channel) Path() string { return filepath.Join(c.base, c.name) }

// Ctl is the control socket (HTTP).
func (c Channel) Ctl() string { return filepath.Join(c.Path(), "ctl") }

// Lock is the file whose flock the relay holds.
func (c Channel) Lock() string { return filepath.Join(c.Path(), "lock") }

// VMLock is the file whose flock is held as long as a VM is attached to the channel.
func (c Channel) VMLock() string { return filepath.Join(c.Path(), "vm.lock") }

// Journal is the folder of the channel's stream:
// $XDG_STATE_HOME/qemu-relay/<channel>, with ~/.local/state where that variable
// is not set.
func (c Channel) Journal() (string, error) { return state("qemu-relay", c.name) }

// Acquire creates the folder and takes the relay's lock, which the kernel gives
// up when its owner ends. ErrLocked names the owner. The caller closes it.
func (c Channel) Acquire() (*os.File, error) {
	file, err := c.hold(c.Lock())
	if errors.Is(err, ErrLocked) {
		err = fmt.Errorf("channel %q: a relay is %w%s", c.name, err, heldBy(c.Lock(), "; stop it with systemctl --user stop qemu-"+c.name+"-relay.service, or end it"))
	}
	return file, err
}

// AcquireVM takes the VM's lock. A QEMU that inherits the file keeps the lock
// exactly as long as it lives. ErrVMAttached names the process that has it. The caller
// closes the file.
func (c Channel) AcquireVM() (*os.File, error) {
	file, err := c.hold(c.VMLock())
	if errors.Is(err, ErrLocked) {
		err = fmt.Errorf("channel %q: %w%s", c.name, ErrVMAttached, heldBy(c.VMLock(), "; stop that VM first"))
	}
	return file, err
}

// Running tells whether a relay holds the channel's lock.
func (c Channel) Running() bool { return held(c.Lock()) }

// HasVM reports whether a VM holds its lock.
func (c Channel) HasVM() bool { return held(c.VMLock()) }

// held tells whether a process holds the lock of the file at path.
func held(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	return owned(file)
}

// hold takes the flock of the file at path and writes our process id into it.
func (c Channel) hold(path string) (*os.File, error) {
	if err := checkRuntimeDir(); err != nil {
		return nil, err
	}
	for _, dir := range []string{c.base, c.Path()} {
		if err := private(dir); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		if owned(file) {
			file.Close()
			return nil, ErrLocked
		}
		// Somebody asked whether it is locked, and has gone on.
	}
	err = file.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintf(file, "%d\n", os.Getpid())
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// heldBy names the process that wrote a lock file, and what to do.
func heldBy(path, remedy string) string {
	data, err := os.ReadFile(path)
	pid := strings.TrimSpace(string(data))
	if err != nil || pid == "" {
		return fmt.Sprintf(" (%s)", strings.TrimPrefix(remedy, "; "))
	}
	return fmt.Sprintf(" (by pid %s%s)", pid, remedy)
}
