package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/process"
	"microvm-console/internal/rundir"
)

// endLeftBehind ends the QEMU of a machine whose owner has ended, and removes the machine's
// folder. It sends SIGTERM, and SIGKILL after half of the time limit, only to processes that
// hold the machine's lock. line names the signal that worked.
func endLeftBehind(ctx context.Context, left *rundir.LeftError, timeout time.Duration) (line string, err error) {
	machine, begin := rundir.Find(left.Name), time.Now()
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		for _, pid := range machine.LeftBehind() {
			err := process.SignalOther(pid, signal, func() bool { return slices.Contains(machine.LeftBehind(), pid) })
			if err != nil {
				return "", fmt.Errorf("vm %q: %w", left.Name, err)
			}
		}
		limit, cancel := context.WithTimeout(ctx, timeout/2)
		ended := awaitFree(limit, machine)
		cancel()
		if ended {
			line = fmt.Sprintf("%s: its QEMU was left behind; ended by %s in %.1f s", left.Name, unix.SignalName(signal), time.Since(begin).Seconds())
			if machine.IsService() {
				return line, nil // the service manager removes the folder
			}
			return line, removeFolder(machine)
		}
	}
	return "", cmdline.Status(cmdline.StatusTimeout, left)
}

// removeFolder removes the folder of a machine that does not run.
func removeFolder(machine rundir.Machine) error {
	lock, err := machine.Acquire()
	if err != nil {
		return err
	}
	return lock.Release()
}
