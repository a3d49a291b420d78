package rundir

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"microvm-console/internal/openers"
)

// LeftError is returned for a machine whose owner has ended, and whose QEMU has not:
// it holds the machine's lock, which it has inherited. It is an ErrLocked.
type LeftError struct {
	Name string // of the machine
	PIDs []int  // of the processes that hold the lock
}

func (e *LeftError) Error() string {
	pids := make([]string, len(e.PIDs))
	for i, pid := range e.PIDs {
		pids[i] = strconv.Itoa(pid)
	}
	return fmt.Sprintf("vm %q: its QEMU still runs (pid %s), though the process that started it has ended (end it with microvm-shutdown --force --name %s)",
		e.Name, strings.Join(pids, " and "), e.Name)
}

// Is makes a LeftError an ErrLocked.
func (e *LeftError) Is(target error) bool { return target == ErrLocked }

// LeftBehind returns the processes that hold the machine's lock though its owner has
// ended: a QEMU that was left behind. nil: there is none.
func (m Machine) LeftBehind() []int {
	pids, owned := m.holders()
	if owned {
		return nil
	}
	return pids
}

// ownerRuns reports whether the process that took the machine's lock still holds it.
func (m Machine) ownerRuns() bool {
	_, owned := m.holders()
	return owned
}

func (m Machine) holders() (pids []int, owned bool) {
	info, err := os.Stat(m.Lock())
	if err != nil {
		return nil, false
	}
	return openers.LockHolders(info)
}

// lockedBy returns the error about a lock file that another process holds.
func (m Machine) lockedBy(file *os.File) error {
	if left := m.LeftBehind(); len(left) > 0 {
		return &LeftError{Name: m.name, PIDs: left}
	}
	data, err := os.ReadFile(file.Name())
	owner, _, _ := strings.Cut(string(data), "\n")
	if err != nil || owner == "" {
		return fmt.Errorf("vm %q: %w", m.name, ErrLocked)
	}
	return fmt.Errorf("vm %q: %w (by pid %s; stop it with microvm-shutdown, or choose another --name)", m.name, ErrLocked, owner)
}

// Inherit returns a copy of the lock for QEMU to inherit: the machine is locked until
// QEMU has ended too. The caller closes it.
func (l *Lock) Inherit() (*os.File, error) {
	fd, err := unix.FcntlInt(l.file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", l.file.Name(), err)
	}
	return os.NewFile(uintptr(fd), l.file.Name()), nil
}

// Name adds the process id of the QEMU that has inherited the lock to the lock file,
// behind the owner's: a line for each.
func (l *Lock) Name(qemu int) error {
	_, err := fmt.Fprintf(l.file, "%d\n", qemu)
	return err
}

// Heirs returns the other processes that hold the lock: QEMU, and what it has started.
func (l *Lock) Heirs() []int {
	info, err := l.file.Stat()
	if err != nil {
		return nil
	}
	var heirs []int
	pids, _ := openers.LockHolders(info)
	for _, pid := range pids {
		if pid != os.Getpid() {
			heirs = append(heirs, pid)
		}
	}
	return heirs
}
