package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// If other users can replace files in the runtime folder, all functions return an error
// and create nothing.
func TestRuntimeFolderWritableByOthers(t *testing.T) {
	tests := []struct {
		name string
		mode os.FileMode
		uid  int // -1: this user
		want string
	}{
		{"ours", 0o700, -1, ""},
		{"readable by others", 0o755, -1, ""},
		{"writable by the group", 0o770, -1, "has mode 0770, so other users could replace files in it"},
		{"writable by all", 0o777, -1, "has mode 0777, so other users could replace files in it"},
		{"another user's", 0o700, 12345, "belongs to user 12345, so other users could replace files in it"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base := base(t)
			dir := filepath.Dir(base)
			if err := os.Chmod(dir, test.mode); err != nil {
				t.Fatal(err)
			}
			if test.uid >= 0 {
				if os.Getuid() != 0 {
					t.Skip("only root can change the owner of a folder (run the tests as root)")
				}
				if err := os.Chown(dir, test.uid, test.uid); err != nil {
					t.Fatal(err)
				}
			}
			_, locked := Of("m").Locked()
			_, listed := Running()
			lock, taken := Of("m").Acquire()
			relay, served := OfChannel("serial").Acquire()
			for name, err := range map[string]error{"Locked": locked, "Running": listed, "Acquire": taken, "Channel.Acquire": served} {
				switch {
				case test.want == "" && err != nil:
					t.Errorf("%s: %v", name, err)
				case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "XDG_RUNTIME_DIR: "+dir+" "+test.want)):
					t.Errorf("%s: %v", name, err)
				}
			}
			if test.want == "" {
				relay.Close()
				release(t, lock)
				return
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("the folder has %v, %v", left, err)
			}
		})
	}
}

// If the base folder is replaced by a link while a machine is running, Release removes
// nothing in the target.
func TestReleaseFollowsNoLink(t *testing.T) {
	for _, plant := range []struct {
		name string
		link func(base, victim string) error
	}{
		{"the machine's folder is a link", func(base, victim string) error {
			return errors.Join(os.Mkdir(base, 0o700), os.Symlink(victim, base+"/m"))
		}},
		{"the base folder is a link", func(base, victim string) error {
			return os.Symlink(filepath.Dir(victim), base)
		}},
	} {
		t.Run(plant.name, func(t *testing.T) {
			base := base(t)
			lock := acquire(t, Of("m"))
			victim := t.TempDir() + "/m"
			if err := errors.Join(os.Mkdir(victim, 0o700), os.WriteFile(victim+"/lock", nil, 0o600),
				os.WriteFile(victim+"/precious", nil, 0o600), os.Rename(base, base+".away"), plant.link(base, victim)); err != nil {
				t.Fatal(err)
			}
			_ = lock.Release() // may report that the folder is another one
			for _, name := range []string{"lock", "precious"} {
				if _, err := os.Stat(victim + "/" + name); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
