package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrLocked tells that another process owns the machine.
var ErrLocked = errors.New("already running")

// Acquire creates the folder and takes the machine's lock: an flock(2), which
// the kernel releases when the owner ends, however it ends. A machine that is
// owned by another process gives ErrLocked with that process's id.
//
// The caller calls Release when it owns nothing in the folder any more.
func (m Machine) Acquire() (*Lock, error) {
	for {
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
		if err != nil {
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
			return false, fmt.Errorf("vm %q: %w%s", m.name, ErrLocked, m.owner())
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

// owner names the process that wrote the lock file.
func (m Machine) owner() string {
	data, err := os.ReadFile(m.Lock())
	pid := strings.TrimSpace(string(data))
	if err != nil || pid == "" {
		return ""
	}
	return fmt.Sprintf(" (by pid %s; stop it with microvm-shutdown, or choose another --name)", pid)
}

// Locked tells whether a process owns the machine just now. Its errors name a
// folder that is not ours: whoever answers there is not to be trusted.
func (m Machine) Locked() (bool, error) {
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
// stays if it is.
func (l *Lock) Release() error {
	defer l.file.Close() // nothing was written that could be lost
	entries, err := os.ReadDir(l.machine.Path())
	if err != nil {
		return unlessGone(err)
	}
	for _, entry := range entries {
		path := filepath.Join(l.machine.Path(), entry.Name())
		if path == l.machine.Lock() {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	if err := os.Remove(l.machine.Lock()); err != nil {
		return unlessGone(err)
	}
	err = os.Remove(l.machine.Path())
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
