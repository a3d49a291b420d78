package process

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// SignalOther sends a signal to a process that is not a child of this one, if it is the
// intended process: once no other process can get its ID, SignalOther calls isTarget to
// check that. It returns nil if the process has ended or isTarget returns false.
func SignalOther(pid int, signal unix.Signal, isTarget func() bool) error {
	return withPidfd(pid, signal, isTarget, func(int) error { return nil })
}

// KillOther sends SIGKILL like SignalOther, and waits until the process has ended. It
// returns an error if the process has not ended within limit.
func KillOther(pid int, isTarget func() bool, limit time.Duration) error {
	return withPidfd(pid, unix.SIGKILL, isTarget, func(fd int) error {
		// A pidfd becomes readable when the process ends (pidfd_open(2)).
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for deadline := time.Now().Add(limit); ; {
			n, err := unix.Poll(polled, max(0, int(time.Until(deadline).Milliseconds())))
			switch {
			case errors.Is(err, unix.EINTR):
			case err != nil:
				return err
			case n == 0:
				return errors.New("still running after SIGKILL")
			default:
				return nil
			}
		}
	})
}

// withPidfd sends a signal to the process if isTarget returns true, then calls then with
// its pidfd.
func withPidfd(pid int, signal unix.Signal, isTarget func() bool, then func(fd int) error) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pid %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if !isTarget() {
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
