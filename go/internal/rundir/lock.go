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

// ErrLocked is returned if another process owns the machine, or the channel.
var ErrLocked = errors.New("already running")

// ErrVMAttached is returned for a channel to which a VM is attached already.
var ErrVMAttached = errors.New("a VM is attached already")

// LeftError is returned for a machine whose owner has ended, and whose QEMU has not: it
// holds the machine's lock, which it has inherited. It is an ErrLocked.
type LeftError struct {
	Name string // of the machine
	PIDs []int  // of the processes that hold the lock
}

func (e *LeftError) Error() string {
	return fmt.Sprintf("vm %q: its QEMU still runs (pid %s), though the process that started it has ended (end it with microvm-shutdown --force --name %s)",
		e.Name, strings.Trim(fmt.Sprint(e.PIDs), "[]"), e.Name)
}

// Is makes a LeftError an ErrLocked.
func (e *LeftError) Is(target error) bool { return target == ErrLocked }

// Lock is an exclusive flock(2) on a file in a private folder. The kernel releases it when
// all processes that have the file open have ended: the one that took it, and those that
// inherited it. The file holds the id of the process that took it.
type Lock struct {
	folder Folder
	file   *os.File
}

// lock makes the folder and takes the lock of the file called name in it. It returns
// ErrLocked if another process holds it.
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
			if err = lock.writePID(); err == nil {
				return lock, nil
			}
		case errors.Is(err, unix.EWOULDBLOCK) && isHeld(file):
			err = ErrLocked
		case err == nil || errors.Is(err, unix.EWOULDBLOCK):
			file.Close()
			continue // the last owner has removed the file, or a process asked whether it is locked
		}
		file.Close()
		return nil, err
	}
}

// writePID makes the id of this process the only one in the file.
func (l *Lock) writePID() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	return l.AddPID(os.Getpid())
}

// AddPID adds the id of a process that has inherited the lock to the file: a line for each.
func (l *Lock) AddPID(pid int) error {
	_, err := fmt.Fprintf(l.file, "%d\n", pid)
	return err
}

// isOf reports whether the lock is that of a file.
func (l *Lock) isOf(named os.FileInfo) bool {
	held, err := l.file.Stat()
	return err == nil && os.SameFile(held, named)
}

// Close closes the file. The lock is free unless another process has inherited it.
func (l *Lock) Close() { l.file.Close() }

// Inherit returns a copy of the lock for a process to inherit. The caller closes it.
func (l *Lock) Inherit() (*os.File, error) {
	fd, err := unix.FcntlInt(l.file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", l.file.Name(), err)
	}
	return os.NewFile(uintptr(fd), l.file.Name()), nil
}

// Heirs returns the other processes that hold the lock: QEMU, and what it has started.
func (l *Lock) Heirs() []int {
	info, err := l.file.Stat()
	if err != nil {
		return nil
	}
	pids, _ := openers.LockHolders(info)
	return slices.DeleteFunc(pids, func(pid int) bool { return pid == os.Getpid() })
}

// Release empties and removes the folder, and closes the lock. The file goes last: from
// then on the folder may be the next owner's, and stays if it is. A folder whose lock file
// is another one is left as it is.
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
	if err := base.Remove(lock); err != nil {
		return unlessGone(err)
	}
	err = base.Remove(l.folder.name)
	if errors.Is(err, unix.ENOTEMPTY) {
		return nil
	}
	return unlessGone(err)
}

// leftLimit is how long a QEMU may take to end whose owner was killed: the kernel kills it
// then too, and gives back its memory.
const leftLimit = 2 * time.Second

// Acquire creates the machine's folder and takes its lock. It returns ErrLocked, with the
// owner's process id, if another process owns the machine, and a *LeftError if only its
// QEMU is left. The caller calls Release once nothing in the folder is in use.
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

// LeftBehind returns the processes that hold the machine's lock though its owner has
// ended: a QEMU that was left behind. It returns nil if the owner runs, or no process
// holds the lock.
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

// Locked reports whether a process holds the owner's lock just now. It returns an error that
// names a folder that is not ours: what answers there cannot be trusted.
func (f Folder) Locked() (bool, error) {
	if err := checkRuntimeDir(); err != nil {
		return false, err
	}
	for _, dir := range []string{f.base, f.Path()} {
		if err := ours(dir); err != nil {
			return false, unlessGone(err)
		}
	}
	return lockedAt(f.Lock())
}

// Acquire creates the channel's folder and takes the relay's lock. It returns ErrLocked,
// with the owner's process id, if another relay serves the channel. The caller closes the
// lock.
func (c Channel) Acquire() (*Lock, error) {
	lock, err := c.lock(lockName)
	if errors.Is(err, ErrLocked) {
		err = fmt.Errorf("channel %q: a relay is %w%s", c.name, err,
			heldBy(c.Lock(), "stop it with systemctl --user stop qemu-"+c.name+"-relay.service, or end it"))
	}
	return lock, err
}

// AcquireVM takes the VM's lock. A QEMU that inherits it holds it exactly as long as it
// lives. It returns ErrVMAttached, with the process that holds it, if a VM is attached.
// The caller closes the lock.
func (c Channel) AcquireVM() (*Lock, error) {
	lock, err := c.lock(filepath.Base(c.VMLock()))
	if errors.Is(err, ErrLocked) {
		err = fmt.Errorf("channel %q: %w%s", c.name, ErrVMAttached, heldBy(c.VMLock(), "stop that VM first"))
	}
	return lock, err
}

// Running reports whether a relay holds the channel's lock.
func (c Channel) Running() bool {
	held, _ := c.Locked()
	return held
}

// HasVM reports whether a VM holds its lock.
func (c Channel) HasVM() bool {
	held, _ := lockedAt(c.VMLock())
	return held
}

// lockedAt reports whether a process holds the lock of the file at path, if there is one.
func lockedAt(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, unlessGone(err)
	}
	defer file.Close()
	return isHeld(file), nil
}

// isHeld reports whether a process holds the lock of a file. It takes a shared lock for an
// instant, which an owner's lock forbids, and another such question does not.
func isHeld(file *os.File) bool {
	return errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// heldBy names the process that wrote a lock file, and what to do.
func heldBy(path, remedy string) string {
	data, err := os.ReadFile(path)
	pid, _, _ := strings.Cut(string(data), "\n")
	if err != nil || pid == "" {
		return fmt.Sprintf(" (%s)", remedy)
	}
	return fmt.Sprintf(" (by pid %s; %s)", pid, remedy)
}

// unlessGone returns err, and nil if that is that there is no such file.
func unlessGone(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
