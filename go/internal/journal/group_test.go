package journal

import (
	"os"
	"path/filepath"
	"testing"
)

// A group that can read the folder of a journal can read its files, and no group can otherwise.
func TestFilesForAGroup(t *testing.T) {
	for folder, want := range map[os.FileMode]os.FileMode{0o700: 0o600, 0o750: 0o640} {
		dir := filepath.Join(t.TempDir(), "serial")
		if err := os.Mkdir(dir, folder); err != nil {
			t.Fatal(err)
		}
		j := open(t, dir, DefaultRetention)
		write(t, j, "x\n")
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) < 3 {
			t.Fatalf("%v, %v", entries, err)
		}
		for _, entry := range entries {
			if info, err := entry.Info(); err != nil || info.Mode().Perm() != want {
				t.Errorf("in a folder %o: %v, %v", folder, info, err)
			}
		}
	}
}
