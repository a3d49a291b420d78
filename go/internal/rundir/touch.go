package rundir

import (
	"context"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// TouchEvery is how often files are touched that have to stay: what cleans /tmp removes
// files that were not used for days (tmpfiles.d(5)), whether a process has them open or
// not.
const TouchEvery = time.Hour

// Touch sets the times of files to now. A link is touched itself. A file that is
// missing, or cannot be touched, is left out.
func Touch(paths ...string) {
	for _, path := range paths {
		now := unix.Timespec{Nsec: unix.UTIME_NOW}
		_ = unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{now, now}, unix.AT_SYMLINK_NOFOLLOW)
	}
}

// Touch touches the machine's folder and all that is in it.
func (m Machine) Touch() {
	_ = filepath.WalkDir(m.Path(), func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			Touch(path)
		}
		return nil // what has gone meanwhile is passed over
	})
}

// KeepTouched touches the machine's folder every TouchEvery until ctx ends.
func (m Machine) KeepTouched(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-time.After(TouchEvery):
			m.Touch()
		case <-ctx.Done():
		}
	}
}
