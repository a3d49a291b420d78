package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked tells that another process owns the machine.
var ErrLocked = errors.New("already running")

// leftLimit is how long a QEMU may take to end whose owner was killed: the kernel
// kills it then too, and gives back its memory.
const leftLimit = 2 * time.Second

// Acquire creates the folder and takes the machine's lock: an flock(2), which
// the kernel releases when the owner has ended, however it ends, and the QEMU that
// inherited it. A machine that is owned by another process gives ErrLocked with that
// process's id; one whose QEMU was left behind gives a *LeftError.
//
// The caller calls Release when it owns nothing in the folder any more.
func (m Machine) Acquire() (*Lock, error) {
	for deadline := time.Now().Add(leftLimit); ; {
		if err := m.Create(); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(m.Lock(), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // the last owner has just removed the folder
		}
		if err != nil {
			return nil, err
		}
		locked, err := m.tryLock(file)
		if locked {
			return &Lock{m, file}, nil
		}
		file.Close()
		switch {
		case errors.Is(err, ErrLocked) && !m.ownerRuns() && time.Now().Before(deadline):
			time.Sleep(10 * time.Millisecond)
		case err != nil:
			return nil, err
		}
		// The last owner removed the file between our open and our lock, or
		// somebody asked whether it is locked.
	}
}

// tryLock locks file and tells whether it is still the machine's lock file.
// Where it is not, somebody has removed it, and the lock means nothing.
func (m Machine) tryLock(file *os.File) (bool, error) {
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) && !owned(file) {
			return false, nil
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			return false, m.lockedBy(file)
		}
		return false, fmt.Errorf("lock %s: %w", m.Lock(), err)
	}
	held, err := file.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(m.Lock())
	if err != nil || !os.SameFile(held, named) {
		return false, nil //nolint:nilerr // no such file: somebody has removed it
	}
	if err := file.Truncate(0); err != nil {
		return false, err
	}
	_, err = fmt.Fprintf(file, "%d\n", os.Getpid())
	return err == nil, err
}

// Locked tells whether a process owns the machine just now. Its errors name a
// folder that is not ours: whoever answers there is not to be trusted.
func (m Machine) Locked() (bool, error) {
	if err := checkRuntimeDir(); err != nil {
		return false, err
	}
	for _, dir := range []string{m.base, m.Path()} {
		if err := ours(dir); err != nil {
			return false, unlessGone(err)
		}
	}
	file, err := os.Open(m.Lock())
	if err != nil {
		return false, unlessGone(err)
	}
	defer file.Close()
	return owned(file), nil
}

// owned tells whether somebody holds the lock of file. It takes a shared lock
// for an instant, which an owner's lock forbids, and another such question
// does not.
func owned(file *os.File) bool {
	return errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// unlessGone is err, unless it tells that there is no such file.
func unlessGone(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Lock is the ownership of a machine's folder.
type Lock struct {
	machine Machine
	file    *os.File
}

// Release empties and removes the machine's folder, and gives up the lock. The
// lock file goes last: from then on the folder may be the next owner's, and
// stays if it is. A folder whose lock file is not the one that is held here is left
// as it is.
func (l *Lock) Release() error {
	defer l.file.Close() // nothing was written that could be lost
	base, err := os.OpenRoot(l.machine.base)
	if err != nil {
		return unlessGone(err)
	}
	defer base.Close()
	folder, err := base.OpenRoot(l.machine.name)
	if err != nil {
		return unlessGone(err)
	}
	defer folder.Close()
	if ours, err := l.isIn(folder); err != nil || !ours {
		return err
	}
	entries, err := fs.ReadDir(folder.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == lockName {
			continue
		}
		if err := folder.RemoveAll(entry.Name()); err != nil {
			return err
		}
	}
	if err := folder.Remove(lockName); err != nil {
		return unlessGone(err)
	}
	err = base.Remove(l.machine.name)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// isIn reports whether the lock file in folder is the one that is held here.
func (l *Lock) isIn(folder *os.Root) (bool, error) {
	held, err := l.file.Stat()
	if err != nil {
		return false, err
	}
	named, err := folder.Lstat(lockName)
	if err != nil {
		return false, unlessGone(err)
	}
	return os.SameFile(held, named), nil
}
