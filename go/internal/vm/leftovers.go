package vm

import (
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"

	"microvm-console/internal/loopback"
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

// takenByOthers tells whether a process that is neither ours nor our QEMU listens on
// a port: the port was free when it came.
func (v *VM) takenByOthers(port int) bool {
	pid, _ := loopback.Owner(port)
	return pid != 0 && pid != os.Getpid() && pid != v.Status().QEMUPID
}
