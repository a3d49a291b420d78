package server

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"microvm-console/internal/guestagent"
)

// Shutdown ends the guest it runs in, by a program that asks the guest's init: that ends
// services and unmounts file systems. A guest without such a program is one whose init
// does neither: its programs are asked to end, what is on disks is written, and the
// kernel ends it.
func Shutdown(mode guestagent.ShutdownMode) error {
	if request := shutdownCommand(mode); request != nil {
		out, err := exec.Command(request[0], request[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %.200s", request[0], err, out)
		}
		return nil
	}
	// For those who watch the console; without one there is nothing to do.
	_ = os.WriteFile("/dev/console", []byte("guest agent: the guest ends now\n"), 0)
	if err := unix.Kill(-1, unix.SIGTERM); err != nil { // all but this one and init
		return fmt.Errorf("end the guest: %w", err)
	}
	unix.Sync()
	command := map[guestagent.ShutdownMode]int{
		guestagent.Powerdown: unix.LINUX_REBOOT_CMD_POWER_OFF,
		guestagent.Halt:      unix.LINUX_REBOOT_CMD_HALT,
		guestagent.Reboot:    unix.LINUX_REBOOT_CMD_RESTART,
	}[mode]
	return unix.Reboot(command)
}

// shutdownCommand returns the command that asks the guest's init for an end, and nil if
// the guest has none: shutdown(8), as qemu-ga runs it, or else the one of poweroff(8),
// halt(8) and reboot(8), which are all that a guest on busybox has.
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
