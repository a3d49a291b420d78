package vm

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"

	"microvm-console/internal/loopback"
	"microvm-console/internal/process"
	"microvm-console/internal/rundir"
)

// Leftovers returns an error for each thing that is left of a VM whose Run has returned: QEMU, the
// processes of its shares, the VM's directory, its ports. It is for tests of the VM.
func (v *VM) Leftovers() error {
	var errs *multierror.Error
	status := v.Status()
	if status.QEMUPID != 0 && !errors.Is(unix.Kill(status.QEMUPID, 0), unix.ESRCH) {
		errs = multierror.Append(errs, fmt.Errorf("left behind: QEMU, pid %d", status.QEMUPID))
	}
	for _, d := range v.shares.daemons {
		if pid := d.process.PID(); !errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			errs = multierror.Append(errs, fmt.Errorf("left behind: virtiofsd, pid %d", pid))
		}
	}
	if _, err := os.Lstat(v.dir.Path()); !errors.Is(err, os.ErrNotExist) {
		errs = multierror.Append(errs, fmt.Errorf("left behind: %s", v.dir.Path()))
	}
	for _, console := range status.Consoles {
		if console.Port == 0 {
			continue
		}
		listeners, err := loopback.Listen(console.Port, "not opened by this VM")
		if err != nil && listens(console.Port, status.QEMUPID) {
			errs = multierror.Append(errs, fmt.Errorf("left behind: %w", err))
		}
		loopback.Close(listeners)
	}
	return errs.ErrorOrNil()
}

// listens reports whether this process or its QEMU listens on a port. If neither does, the VM has
// released the port: another process uses it, as for a connection from it.
func listens(port, qemu int) bool {
	pid, _ := loopback.Owner(port)
	return pid != 0 && (pid == os.Getpid() || pid == qemu)
}

// killLimit bounds the wait for killed processes to end.
const killLimit = 5 * time.Second

// killOtherHolders kills the processes that still hold the VM's lock after QEMU has ended: processes
// that QEMU started, or QEMU itself if the program in vm.json is a script that runs it as a
// child. They would prevent the next start of the VM.
func killOtherHolders(lock *rundir.Lock) error {
	for deadline := time.Now().Add(killLimit); ; {
		holders := lock.OtherHolders()
		switch {
		case len(holders) == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("left behind: the processes %d, started by QEMU", holders)
		}
		for _, pid := range holders {
			isHolder := func() bool { return slices.Contains(lock.OtherHolders(), pid) }
			if err := process.KillOther(pid, isHolder, time.Until(deadline)); err != nil {
				return fmt.Errorf("left behind: %w", err)
			}
		}
	}
}
