package tests

import (
	"path/filepath"
	"testing"
)

// smallState puts the journals on a file system of their own, of so many MiB.
func smallState(t *testing.T, dir, size string) string {
	t.Helper()
	state := filepath.Join(dir, "state")
	must(t, root, "mkdir", state)
	must(t, root, "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", state)
	t.Cleanup(func() { must(t, root, "umount", "--lazy", state) })
	return state
}

// quotaState puts the journals on a file system of their own that counts what is
// used, and returns its path.
func quotaState(t *testing.T, dir string) string {
	t.Helper()
	state, image := filepath.Join(dir, "state"), filepath.Join(dir, "image")
	must(t, root, "truncate", "--size", "256M", image)
	must(t, root, "mkfs.btrfs", "--quiet", image)
	must(t, root, "mkdir", state)
	must(t, root, "mount", "-o", "loop", image, state)
	t.Cleanup(func() { must(t, root, "umount", "--lazy", state) })
	must(t, root, "btrfs", "quota", "enable", state)
	must(t, root, "btrfs", "quota", "rescan", "-w", state)
	return state
}
