package initrd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/go-multierror"
)

// applets are the applets of busybox that guest/ and inittab use. Which others the guest has depends
// on the busybox.
var applets = []string{
	"acpid", "cat", "getty", "halt", "hostname", "init", "insmod", "ip", "login", "mkdir", "mkfifo",
	"mount", "poweroff", "reboot", "sh", "sleep", "sync", "syslogd", "umount",
}

// addBusybox adds busybox under the two names that the boot needs. The guest itself adds links for
// the other applets, since only busybox knows its applets.
func (t tree) addBusybox(img Image) error {
	program, err := os.ReadFile(img.Busybox)
	if err != nil {
		return fmt.Errorf("busybox: %w (install busybox-static, or set busybox to a static busybox)", err)
	}
	if err := checkBusybox(program); err != nil {
		return &ImageError{multierror.Prefix(err, "busybox "+img.Busybox+":")}
	}
	if err := t.put(Entry{Path: "bin/busybox", Mode: 0o755, Data: program}); err != nil {
		return err
	}
	return t.put(Entry{Path: "init", Mode: fs.ModeSymlink | 0o777, Data: []byte("bin/busybox")})
}

// checkBusybox returns the mistakes of program as an image's busybox: it must need no libraries and
// have all of applets. It searches program for their names, which are C strings in a table. It
// does not run program, which may be for another architecture.
func checkBusybox(program []byte) error {
	var errs *multierror.Error
	switch err := checkStatic(program); {
	case errors.Is(err, errDynamic):
		errs = multierror.Append(errs, fmt.Errorf("%w (use a static busybox)", err))
	case err != nil:
		return err
	}
	for _, applet := range applets {
		if !bytes.Contains(program, []byte("\x00"+applet+"\x00")) {
			errs = multierror.Append(errs, fmt.Errorf("has no applet %q", applet))
		}
	}
	return errs.ErrorOrNil()
}
