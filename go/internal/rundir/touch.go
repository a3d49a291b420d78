package rundir

import (
	"context"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// TouchEvery is the interval at which files in use are touched. Programs that clean /tmp
// remove files that were not used for days, even if a process has them open
// (tmpfiles.d(5)).
const TouchEvery = time.Hour

// Touch sets the times of files to now. It does not follow symbolic links. It ignores
// errors.
func Touch(paths ...string) {
	for _, path := range paths {
		now := unix.Timespec{Nsec: unix.UTIME_NOW}
		_ = unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{now, now}, unix.AT_SYMLINK_NOFOLLOW)
	}
}

// Touch touches the machine's folder and everything in it.
func (m Machine) Touch() {
	_ = filepath.WalkDir(m.Path(), func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			Touch(path)
		}
		return nil // ignore what has been removed meanwhile
	})
}

// KeepTouched touches the machine's folder every TouchEvery until ctx is done.
func (m Machine) KeepTouched(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-time.After(TouchEvery):
			m.Touch()
		case <-ctx.Done():
		}
	}
}
