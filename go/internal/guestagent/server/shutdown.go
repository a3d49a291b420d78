package server

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"microvm-console/internal/guestagent"
)

// Shutdown ends the guest it runs in. A guest that has shutdown(8) is told by
// that, as qemu-ga does. One that has not, as ours, has no services to wait for:
// its programs are asked to end, what is on disks is written, and the kernel
// ends it.
func Shutdown(mode guestagent.ShutdownMode) error {
	if program, err := exec.LookPath("shutdown"); err == nil {
		flag := map[guestagent.ShutdownMode]string{
			guestagent.Powerdown: "-P", guestagent.Halt: "-H", guestagent.Reboot: "-r",
		}[mode]
		out, err := exec.Command(program, flag, "+0", "hypervisor initiated shutdown").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %.200s", program, err, out)
		}
		return nil
	}
	// Who watches the console is told; without one, there is nobody to tell.
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
