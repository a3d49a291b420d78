package server

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/guestagent"
)

// If the guest has a program for a shutdown, it is used, since init then unmounts file systems.
func TestShutdownCommand(t *testing.T) {
	for _, test := range []struct {
		name     string
		programs []string
		mode     guestagent.ShutdownMode
		want     []string
	}{
		{"by shutdown", []string{"shutdown", "poweroff"}, guestagent.Powerdown, []string{"shutdown", "-P", "+0", "hypervisor initiated shutdown"}},
		{"a restart by shutdown", []string{"shutdown", "reboot"}, guestagent.Reboot, []string{"shutdown", "-r", "+0", "hypervisor initiated shutdown"}},
		{"by poweroff", []string{"poweroff", "halt", "reboot"}, guestagent.Powerdown, []string{"poweroff"}},
		{"by halt", []string{"poweroff", "halt", "reboot"}, guestagent.Halt, []string{"halt"}},
		{"by reboot", []string{"poweroff", "halt", "reboot"}, guestagent.Reboot, []string{"reboot"}},
		{"without a program", []string{"reboot"}, guestagent.Powerdown, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("PATH", dir)
			for _, name := range test.programs {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			got := shutdownCommand(test.mode)
			if len(got) > 0 {
				got[0] = filepath.Base(got[0])
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
