package process

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// SignalOther sends a signal to a process that is no child of this one, if it is still
// the process that is meant: meant is called when another process can no longer get
// its id. A process that has ended, or is not meant, is no error.
func SignalOther(pid int, signal unix.Signal, meant func() bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		defer unix.Close(fd)
		if !meant() {
			return nil
		}
		err = unix.PidfdSendSignal(fd, signal, nil, 0)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal pid %d: %w", pid, err)
	}
	return nil
}
