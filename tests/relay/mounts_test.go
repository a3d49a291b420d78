package relay

import (
	"path/filepath"
	"testing"

	"microvm-console/tests/internal/harness"
)

// smallState mounts a file system of the given size for the journals, and returns its path.
func smallState(t *testing.T, dir, size string) string {
	t.Helper()
	state := filepath.Join(dir, "state")
	harness.Must(t, harness.Root, "mkdir", state)
	harness.Must(t, harness.Root, "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", state)
	t.Cleanup(func() { harness.Must(t, harness.Root, "umount", "--lazy", state) })
	return state
}

// quotaState mounts a file system with quotas for the journals, and returns its path.
func quotaState(t *testing.T, dir string) string {
	t.Helper()
	state, image := filepath.Join(dir, "state"), filepath.Join(dir, "image")
	harness.Must(t, harness.Root, "truncate", "--size", "256M", image)
	harness.Must(t, harness.Root, "mkfs.btrfs", "--quiet", image)
	harness.Must(t, harness.Root, "mkdir", state)
	harness.Must(t, harness.Root, "mount", "-o", "loop", image, state)
	t.Cleanup(func() { harness.Must(t, harness.Root, "umount", "--lazy", state) })
	harness.Must(t, harness.Root, "btrfs", "quota", "enable", state)
	harness.Must(t, harness.Root, "btrfs", "quota", "rescan", "-w", state)
	return state
}
