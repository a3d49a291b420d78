package channel

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// refreshEvery is how often the endpoints are touched: what cleans /tmp takes
// files that nobody has used for days (tmpfiles.d(5)), in use or not.
const refreshEvery = time.Hour

// names are the endpoints' paths.
func (c *Channel) names() []string {
	return []string{c.public.In, c.public.Out, c.public.Socket, c.public.PTY, c.public.Log}
}

// refresh touches the endpoints now and again until ctx ends.
func (c *Channel) refresh(ctx context.Context) {
	for {
		for _, name := range c.names() {
			now := unix.Timespec{Nsec: unix.UTIME_NOW}
			// One that is missing is told by status.
			_ = unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{now, now}, unix.AT_SYMLINK_NOFOLLOW)
		}
		select {
		case <-time.After(refreshEvery):
		case <-ctx.Done():
			return
		}
	}
}

// missing are the endpoints that somebody has removed. Who has one open goes on.
func (c *Channel) missing() []string {
	var missing []string
	for _, name := range c.names() {
		if _, err := os.Lstat(name); errors.Is(err, os.ErrNotExist) {
			missing = append(missing, name)
		}
	}
	return missing
}
