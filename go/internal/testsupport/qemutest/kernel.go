package qemutest

import (
	"os"
	"path/filepath"
	"testing"
)

// Kernel returns the path of a file with the header of a bzImage.
func Kernel(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bzImage")
	if err := os.WriteFile(path, append(make([]byte, 0x202), "HdrS"...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
