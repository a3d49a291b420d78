package initrd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/go-multierror"
)

// applets are the parts of busybox that guest/ and inittab use. What else a
// user finds in the guest depends on the busybox.
var applets = []string{
	"acpid", "cat", "getty", "halt", "hostname", "init", "insmod", "login", "mkdir", "mkfifo",
	"mount", "poweroff", "reboot", "sh", "sleep", "sync", "syslogd", "umount",
}

// addBusybox adds busybox under the two names that boot needs. The guest makes
// the names of the other applets itself: only busybox knows which it has.
func (t tree) addBusybox(img Image) error {
	program, err := os.ReadFile(img.Busybox)
	if err != nil {
		return fmt.Errorf("busybox: %w", err)
	}
	if err := checkBusybox(program); err != nil {
		return &ImageError{multierror.Prefix(err, "busybox "+img.Busybox+":")}
	}
	if err := t.put(Entry{Path: "bin/busybox", Mode: 0o755, Data: program}); err != nil {
		return err
	}
	return t.put(Entry{Path: "init", Mode: fs.ModeSymlink | 0o777, Data: []byte("bin/busybox")})
}

// checkBusybox tells all that keeps program from being an image's busybox: it
// must run without libraries and have our applets. The names of its applets, a
// table of C strings, are searched for, not asked for: it may be a program for
// another machine.
func checkBusybox(program []byte) error {
	var errs *multierror.Error
	switch err := checkStatic(program); {
	case errors.Is(err, errDynamic):
		errs = multierror.Append(errs, fmt.Errorf("%w (take a static busybox)", err))
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
