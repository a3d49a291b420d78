package process

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// SignalOther sends a signal to a process that is not a child of this one, if it is still
// the process that is meant: meant is called once no other process can get its id. It
// returns nil if the process has ended or is not meant.
func SignalOther(pid int, signal unix.Signal, meant func() bool) error {
	err := signalIf(pid, signal, meant)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal pid %d: %w", pid, err)
	}
	return nil
}

// signalIf is SignalOther with the error of a process that has ended.
func signalIf(pid int, signal unix.Signal, meant func() bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !meant() {
		return nil
	}
	return unix.PidfdSendSignal(fd, signal, nil, 0)
}
