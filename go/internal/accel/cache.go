package accel

import (
	"os/exec"

	"microvm-console/internal/cache"
	"microvm-console/internal/vmconfig"
)

// results is the cache of probe results.
var results = cache.File[result]{Name: "kvm.json"}

// cacheKey returns a key that changes when the host's boot, the kernel, QEMU or the machine
// type changes.
func cacheKey(m vmconfig.Machine, bootIDFile string) (string, error) {
	program, err := exec.LookPath(m.QEMU)
	if err != nil {
		return "", err
	}
	return cache.Key(bootIDFile, []string{m.Type}, program, m.Kernel)
}
