package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/openers"
)

// ErrLocked is returned if another process owns the machine or the channel.
var ErrLocked = errors.New("already running")

// ErrVMAttached is returned if a QEMU is attached to the channel already.
var ErrVMAttached = errors.New("another QEMU is attached")

// LeftError is returned if the owner of a machine has ended but its QEMU has not: QEMU
// holds the machine's lock, which it has inherited. It matches ErrLocked.
type LeftError struct {
	Name string // name of the machine
	PIDs []int  // processes that hold the lock
}

func (e *LeftError) Error() string {
	return fmt.Sprintf("vm %q: QEMU is still running (pid %s), but the process that started it has ended (stop it with microvm-shutdown --force --name %s)",
		e.Name, strings.Trim(fmt.Sprint(e.PIDs), "[]"), e.Name)
}

// Is reports whether target is ErrLocked.
func (e *LeftError) Is(target error) bool { return target == ErrLocked }

// Lock is an exclusive flock(2) on a file in a private folder. The kernel releases it
// when all processes that have the file open have ended: the one that took the lock, and
// those that inherited it. The file contains the ID of the process that took it.
type Lock struct {
	folder Folder
	file   *os.File
}

// lock creates the folder and takes the lock of the file with this name in it. It returns
// ErrLocked if another process holds the lock.
func (f Folder) lock(name string) (*Lock, error) {
	path := filepath.Join(f.Path(), name)
	for {
		if err := f.Create(); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // the last owner has just removed the folder
		}
		if err != nil {
			return nil, err
		}
		lock := &Lock{f, file}
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		named, gone := os.Lstat(path)
		switch {
		case err == nil && gone == nil && lock.isOf(named):
			if err = lock.take(); err == nil {
				return lock, nil
			}
		case errors.Is(err, unix.EWOULDBLOCK) && isHeld(file):
			err = ErrLocked
		case err == nil || errors.Is(err, unix.EWOULDBLOCK):
			file.Close()
			continue // the last owner has removed the file, or a process is checking the lock
		}
		file.Close()
		return nil, err
	}
}

// take replaces the content of the file by the ID of this process, and makes the file readable
// for the group of the folder, if it is for one.
func (l *Lock) take() error {
	if err := l.file.Chmod(l.folder.Mode(0o600) &^ 0o020); err != nil { // clients only read it
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	return l.AddPID(os.Getpid())
}

// AddPID appends to the file a line with the ID of a process that has inherited the lock.
func (l *Lock) AddPID(pid int) error {
	_, err := fmt.Fprintf(l.file, "%d\n", pid)
	return err
}

// isOf reports whether this is the lock of a file.
func (l *Lock) isOf(named os.FileInfo) bool {
	held, err := l.file.Stat()
	return err == nil && os.SameFile(held, named)
}

// Close closes the file. That releases the lock, unless another process has inherited it.
func (l *Lock) Close() { l.file.Close() }

// Inherit returns a copy of the lock for a process to inherit. The caller must close it.
func (l *Lock) Inherit() (*os.File, error) {
	fd, err := unix.FcntlInt(l.file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", l.file.Name(), err)
	}
	return os.NewFile(uintptr(fd), l.file.Name()), nil
}

// OtherHolders returns the other processes that hold the lock: QEMU and its children.
func (l *Lock) OtherHolders() []int {
	info, err := l.file.Stat()
	if err != nil {
		return nil
	}
	pids, _ := openers.LockHolders(info)
	return slices.DeleteFunc(pids, func(pid int) bool { return pid == os.Getpid() })
}

// Release removes the folder and its content, and releases the lock. It removes the lock
// file last: after that, the folder may belong to the next owner, and is not removed if
// it does, or if a service manager has made it. If the lock file is not this lock's, Release
// removes nothing.
func (l *Lock) Release() error {
	defer l.Close()
	base, err := os.OpenRoot(l.folder.base)
	if err != nil {
		return unlessGone(err)
	}
	defer base.Close()
	lock := filepath.Join(l.folder.name, lockName)
	if named, err := base.Lstat(lock); err != nil || !l.isOf(named) {
		return unlessGone(err)
	}
	entries, err := fs.ReadDir(base.FS(), l.folder.name)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if path := filepath.Join(l.folder.name, entry.Name()); path != lock {
			if err := base.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	if err := base.Remove(lock); err != nil || l.folder.given {
		return unlessGone(err)
	}
	err = base.Remove(l.folder.name)
	if errors.Is(err, unix.ENOTEMPTY) {
		return nil
	}
	return unlessGone(err)
}

// leftLimit is how long QEMU may take to end after its owner was killed. The kernel kills
// it at the same time, but has to free its memory.
const leftLimit = 2 * time.Second

// Acquire creates the machine's folder and takes its lock. It returns ErrLocked, with the
// owner's process ID, if another process owns the machine, and a *LeftError if only its
// QEMU is left. The caller must call Release once nothing in the folder is in use.
func (m Machine) Acquire() (*Lock, error) {
	for deadline := time.Now().Add(leftLimit); ; time.Sleep(10 * time.Millisecond) {
		lock, err := m.lock(lockName)
		if !errors.Is(err, ErrLocked) {
			return lock, err
		}
		pids, owned := m.holders()
		switch {
		case owned || len(pids) == 0 && time.Now().After(deadline):
			return nil, fmt.Errorf("vm %q: %w%s", m.name, err, heldBy(m.Lock(), "stop it with microvm-shutdown, or choose another --name"))
		case time.Now().After(deadline):
			return nil, &LeftError{Name: m.name, PIDs: pids}
		}
	}
}

// LeftBehind returns the processes that hold the machine's lock after its owner has
// ended: a QEMU that was left behind. It returns nil if the owner is running or no
// process holds the lock.
func (m Machine) LeftBehind() []int {
	pids, owned := m.holders()
	if owned {
		return nil
	}
	return pids
}

// holders returns the processes that hold the machine's lock. owned reports whether the
// one that took it is among them.
func (m Machine) holders() (pids []int, owned bool) {
	info, err := os.Stat(m.Lock())
	if err != nil {
		return nil, false
	}
	return openers.LockHolders(info)
}

// Locked reports whether a process holds the owner's lock. It returns an error with the
// path if the folder is not one that check accepts, because sockets there cannot be trusted.
func (f Folder) Locked() (bool, error) {
	if err := f.check(); err != nil {
		return false, unlessGone(err)
	}
	held, err := lockedAt(f.Lock())
	return held, f.forbidden(err)
}

// check returns an error unless the folder exists, and belongs to this user or to a service.
func (f Folder) check() error {
	if f.given {
		return f.checkGiven()
	}
	if err := checkRuntimeDir(); err != nil {
		return err
	}
	for _, dir := range []string{f.base, f.Path()} {
		if err := checkOwn(dir); err != nil {
			return err
		}
	}
	return nil
}

// Acquire creates the channel's folder and takes the relay's lock. It returns ErrLocked,
// with the owner's process ID, if another relay serves the channel. The caller must close
// the lock.
func (c Channel) Acquire() (*Lock, error) {
	lock, err := c.lock(lockName)
	if errors.Is(err, ErrLocked) {
		err = fmt.Errorf("channel %q: a relay is %w%s", c.name, err, heldBy(c.Lock(), c.stopRelay()))
	}
	return lock, err
}

// AcquireVM takes the VM lock. A QEMU that inherits it holds it exactly as long as it
// lives. AcquireVM returns ErrVMAttached, with the ID of the process that holds the lock,
// if a VM is attached. The caller must close the lock.
func (c Channel) AcquireVM() (*Lock, error) {
	lock, err := c.lock(filepath.Base(c.VMLock()))
	if errors.Is(err, ErrLocked) {
		remedy := "end it first"
		if pid := lockPID(c.VMLock()); pid != "" {
			remedy = "pid " + pid + "; " + remedy
		}
		err = fmt.Errorf("channel %q: %w (%s)", c.name, ErrVMAttached, remedy)
	}
	return lock, err
}

// Running reports whether a relay holds the channel's lock.
func (c Channel) Running() bool {
	held, _ := c.Locked()
	return held
}

// HasVM reports whether a process holds the VM lock.
func (c Channel) HasVM() bool {
	held, _ := lockedAt(c.VMLock())
	return held
}

// lockedAt reports whether path exists and a process holds its lock.
func lockedAt(path string) (bool, error) {
	// The folder of a service may belong to another user, who could have put any file there.
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, unlessGone(err)
	}
	defer file.Close()
	return isHeld(file), nil
}

// isHeld reports whether a process holds the exclusive lock of a file. It briefly takes a
// shared lock, which does not interfere with other calls to isHeld.
func isHeld(file *os.File) bool {
	return errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// heldBy returns the process that wrote a lock file, and the remedy, for an error
// message.
func heldBy(path, remedy string) string {
	pid := lockPID(path)
	if pid == "" {
		return fmt.Sprintf(" (%s)", remedy)
	}
	return fmt.Sprintf(" (by pid %s; %s)", pid, remedy)
}

// lockPID returns the ID of the process that wrote a lock file, or "" if it is unknown.
func lockPID(path string) string {
	data, _ := os.ReadFile(path)
	pid, _, _ := strings.Cut(string(data), "\n")
	return pid
}

// stopRelay returns how to stop the relay that holds the channel's lock: by its unit if it
// runs in one.
func (c Channel) stopRelay() string {
	unit := "qemu-" + c.name + "-relay.service"
	cgroups, _ := os.ReadFile(filepath.Join("/proc", lockPID(c.Lock()), "cgroup"))
	if command := stopCommand(string(cgroups), unit); command != "" {
		return "stop it with " + command
	}
	return "stop it first"
}

// stopCommand returns the command that stops a unit, if a process with these control groups
// (cgroups(7), /proc/PID/cgroup) is part of it, and "" otherwise.
func stopCommand(cgroups, unit string) string {
	for line := range strings.Lines(cgroups) {
		path := strings.TrimSpace(line)
		if !strings.HasSuffix(path, "/"+unit) {
			continue
		}
		if strings.Contains(path, "/user@") {
			return "systemctl --user stop " + unit
		}
		return "systemctl stop " + unit
	}
	return ""
}

// unlessGone returns err, or nil if err is os.ErrNotExist.
func unlessGone(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
