package process

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// SignalOther sends a signal to a process that is not a child of this one, if it is still
// the process that is meant: meant is called once no other process can get its id. It
// returns nil if the process has ended or is not meant.
func SignalOther(pid int, signal unix.Signal, meant func() bool) error {
	return withPidfd(pid, signal, meant, func(int) error { return nil })
}

// KillOther sends SIGKILL to a process as SignalOther does, and waits until it has ended.
// One that has not ended within limit is an error.
func KillOther(pid int, meant func() bool, limit time.Duration) error {
	return withPidfd(pid, unix.SIGKILL, meant, func(fd int) error {
		// A pidfd can be read once the process has ended (pidfd_open(2)).
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for deadline := time.Now().Add(limit); ; {
			n, err := unix.Poll(polled, max(0, int(time.Until(deadline).Milliseconds())))
			switch {
			case errors.Is(err, unix.EINTR):
			case err != nil:
				return err
			case n == 0:
				return errors.New("still runs after SIGKILL")
			default:
				return nil
			}
		}
	})
}

// withPidfd sends a signal to a process that is meant, and calls then with its pidfd.
func withPidfd(pid int, signal unix.Signal, meant func() bool, then func(fd int) error) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pid %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if !meant() {
		return nil
	}
	err = unix.PidfdSendSignal(fd, signal, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("signal pid %d: %w", pid, err)
	}
	if err := then(fd); err != nil {
		return fmt.Errorf("pid %d: %w", pid, err)
	}
	return nil
}
