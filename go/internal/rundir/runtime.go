package rundir

import (
	"fmt"
	"os"
	"syscall"
)

// checkRuntimeDir returns an error if $XDG_RUNTIME_DIR belongs neither to this user nor
// to root, or if other users can write to it. They could replace our folders by others at
// any time, and make this process write and remove files there. A root shell that has
// kept the variable of the user who became root is such a case.
//
// It returns nil if the folder does not exist. If the variable is not set, there is
// nothing to check: /run/user/<uid> belongs to the user, and in /tmp the sticky bit
// prevents other users from renaming our folders.
func checkRuntimeDir() error {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return unlessGone(err)
	}
	const remedy = "so other users could replace files in it (set XDG_RUNTIME_DIR to a folder of your own, mode 0700, or unset it)"
	if uid := int(info.Sys().(*syscall.Stat_t).Uid); uid != os.Getuid() && uid != 0 {
		return fmt.Errorf("XDG_RUNTIME_DIR: %s belongs to user %d, %s", dir, uid, remedy)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("XDG_RUNTIME_DIR: %s has mode %04o, %s", dir, mode, remedy)
	}
	return nil
}
