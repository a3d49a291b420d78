package server

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"microvm-console/internal/guestagent"
)

// Shutdown ends the guest in which it runs. It runs the guest's program for that, which asks init to
// end services and unmount file systems. In a guest without such a program it sends SIGTERM to
// all processes, syncs the disks, and calls reboot(2).
func Shutdown(mode guestagent.ShutdownMode) error {
	if request := shutdownCommand(mode); request != nil {
		out, err := exec.Command(request[0], request[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %.200s", request[0], err, out)
		}
		return nil
	}
	// Only information; a guest without a console can ignore the error.
	_ = os.WriteFile("/dev/console", []byte("guest agent: shutting down\n"), 0)
	if err := unix.Kill(-1, unix.SIGTERM); err != nil { // all processes but this one and init
		return fmt.Errorf("end the processes: %w", err)
	}
	unix.Sync()
	command := map[guestagent.ShutdownMode]int{
		guestagent.Powerdown: unix.LINUX_REBOOT_CMD_POWER_OFF,
		guestagent.Halt:      unix.LINUX_REBOOT_CMD_HALT,
		guestagent.Reboot:    unix.LINUX_REBOOT_CMD_RESTART,
	}[mode]
	return unix.Reboot(command)
}

// shutdownCommand returns the command that asks the guest's init to end the guest, or nil if there
// is none: shutdown(8), like qemu-ga, or else poweroff(8), halt(8) or reboot(8), which busybox
// has.
func shutdownCommand(mode guestagent.ShutdownMode) []string {
	if program, err := exec.LookPath("shutdown"); err == nil {
		flag := map[guestagent.ShutdownMode]string{
			guestagent.Powerdown: "-P", guestagent.Halt: "-H", guestagent.Reboot: "-r",
		}[mode]
		return []string{program, flag, "+0", "hypervisor initiated shutdown"}
	}
	name := map[guestagent.ShutdownMode]string{
		guestagent.Powerdown: "poweroff", guestagent.Halt: "halt", guestagent.Reboot: "reboot",
	}[mode]
	if program, err := exec.LookPath(name); err == nil {
		return []string{program}
	}
	return nil
}
