package accel

import (
	"os/exec"

	"microvm-console/internal/cache"
	"microvm-console/internal/vmconfig"
)

// verdicts are those that are remembered.
var verdicts = cache.File[verdict]{Name: "kvm.json"}

// keyOf names what a verdict holds for: host boot, kernel, QEMU and machine
// type.
func keyOf(m vmconfig.Machine, bootID string) (string, error) {
	program, err := exec.LookPath(m.QEMU)
	if err != nil {
		return "", err
	}
	return cache.Key(bootID, []string{m.Type}, program, m.Kernel)
}
