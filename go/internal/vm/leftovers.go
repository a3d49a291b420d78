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
)

// Leftovers tells all that is left of a machine whose Run has returned: its
// process, its folder, its ports. nil: nothing is.
func (v *VM) Leftovers() error {
	var errs *multierror.Error
	status := v.Status()
	if status.QEMUPID != 0 && !errors.Is(unix.Kill(status.QEMUPID, 0), unix.ESRCH) {
		errs = multierror.Append(errs, fmt.Errorf("left behind: QEMU, pid %d", status.QEMUPID))
	}
	if _, err := os.Lstat(v.dir.Path()); !errors.Is(err, os.ErrNotExist) {
		errs = multierror.Append(errs, fmt.Errorf("left behind: %s", v.dir.Path()))
	}
	for _, console := range status.Consoles {
		listeners, err := loopback.Listen(console.Port, "not by this machine's doing")
		if err != nil && !v.takenByOthers(console.Port) {
			errs = multierror.Append(errs, fmt.Errorf("left behind: %w", err))
		}
		loopback.Close(listeners)
	}
	return errs.ErrorOrNil()
}

// heirsLimit is how long a process that is killed may take to end.
const heirsLimit = 5 * time.Second

// endHeirs ends the processes that still have the machine's lock when QEMU has ended:
// those that it has started, or QEMU itself, if the program of vm.json is a script that
// runs it as a child. Else the next start of the machine would find them.
func (v *VM) endHeirs() error {
	for deadline := time.Now().Add(heirsLimit); ; time.Sleep(10 * time.Millisecond) {
		heirs := v.lock.Heirs()
		switch {
		case len(heirs) == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("left behind: the processes %d, which QEMU has started", heirs)
		}
		for _, pid := range heirs {
			err := process.SignalOther(pid, unix.SIGKILL, func() bool { return slices.Contains(v.lock.Heirs(), pid) })
			if err != nil {
				return err
			}
		}
	}
}

// takenByOthers tells whether a process that is neither ours nor our QEMU listens on
// a port: the port was free when it came.
func (v *VM) takenByOthers(port int) bool {
	pid, _ := loopback.Owner(port)
	return pid != 0 && pid != os.Getpid() && pid != v.Status().QEMUPID
}
