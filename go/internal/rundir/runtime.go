package rundir

import (
	"fmt"
	"os"
	"syscall"
)

// checkRuntimeDir returns an error if $XDG_RUNTIME_DIR belongs to neither this user nor
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
	info, err := os.Stat(dir)
	if err != nil {
		return unlessGone(err)
	}
	const remedy = "so that others could replace what is in it (set XDG_RUNTIME_DIR to a folder of your own, mode 0700, or unset it)"
	if uid := int(info.Sys().(*syscall.Stat_t).Uid); uid != os.Getuid() && uid != 0 {
		return fmt.Errorf("XDG_RUNTIME_DIR: %s belongs to user %d, %s", dir, uid, remedy)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("XDG_RUNTIME_DIR: %s has mode %04o, %s", dir, mode, remedy)
	}
	return nil
}
