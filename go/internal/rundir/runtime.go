package rundir

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// checkRuntimeDir is an error if $XDG_RUNTIME_DIR belongs to neither this user nor
// root, or if other users may write there: they could put another folder in the place
// of ours at any time, and have this process write and remove files in it. That is so
// for a root shell that still has the variable of the user who became root.
//
// A folder that does not exist is no error here. Without the variable there is nothing
// to check: /run/user/UID is the user's own, and in /tmp others cannot rename our
// folders, because of its sticky bit.
func checkRuntimeDir() error {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return nil
	}
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); errors.Is(err, unix.ENOENT) {
		return nil
	} else if err != nil {
		return &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	const remedy = "so that others could replace what is in it (set XDG_RUNTIME_DIR to a folder of your own, mode 0700, or unset it)"
	if uid := int(stat.Uid); uid != os.Getuid() && uid != 0 {
		return fmt.Errorf("XDG_RUNTIME_DIR: %s belongs to user %d, %s", dir, uid, remedy)
	}
	if mode := stat.Mode & 0o777; mode&0o022 != 0 {
		return fmt.Errorf("XDG_RUNTIME_DIR: %s has mode %04o, %s", dir, mode, remedy)
	}
	return nil
}
