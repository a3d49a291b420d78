package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// base sets XDG_RUNTIME_DIR to a temporary folder, and returns the base folder, which
// does not exist yet. The path is shorter than one of t.TempDir, because the path of a
// Unix socket must fit below it.
func base(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rundir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	return Base()
}

func TestPaths(t *testing.T) {
	tests := []struct{ name, xdg, want string }{
		{"with XDG_RUNTIME_DIR", "/run/user/7", "/run/user/7/microvm/demo"},
		{"without", "", fmt.Sprintf("/tmp/microvm-%d/demo", os.Getuid())},
	}
	t.Setenv("TMPDIR", "/elsewhere") // as nix-shell does; the programs must still find each other
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("XDG_RUNTIME_DIR", test.xdg)
			m := Of("demo")
			got := []string{m.Name(), m.Path(), m.Ctl(), m.Lock(), m.State()}
			want := []string{"demo", test.want, test.want + "/ctl", test.want + "/lock", test.want + "/state.json"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCreateMakesPrivateFolders(t *testing.T) {
	base := base(t)
	m := Of("m")
	for _, before := range []string{"new folders", "loose ones"} {
		if err := m.Create(); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{base, m.Path()} {
			info, err := os.Lstat(dir)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != os.ModeDir|0o700 {
				t.Errorf("%s: %s has mode %v", before, dir, info.Mode())
			}
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestCreateChecksTheLengthOfThePath(t *testing.T) {
	base(t)
	longest := strings.Repeat("a", maxSocketPath-len(Of("").Ctl())-len("/"))
	if err := Of(longest).Create(); err != nil {
		t.Errorf("a path of %d bytes: %v", len(Of(longest).Ctl()), err)
	}
	err := Of(longest + "a").Create()
	if err == nil || !strings.Contains(err.Error(), "path too long for a Unix socket: 108 bytes, at most 107 (use a shorter name or a shorter XDG_RUNTIME_DIR)") {
		t.Errorf("one byte more: %v", err)
	}
}

func TestCreateWithoutTheRuntimeFolder(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(t.TempDir(), "none"))
	if err := Of("m").Create(); err == nil || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), Base()+": ") {
		t.Error(err)
	}
}

// TestPlanted puts foreign files in place of the base folder and of the machine's folder.
// Both Create and Locked return an error.
func TestPlanted(t *testing.T) {
	tests := []struct {
		name  string
		plant func(path string) error
		want  string
	}{
		{"a symbolic link to a folder", func(path string) error { return os.Symlink(os.TempDir(), path) }, "is a symbolic link"},
		{"a symbolic link to nothing", func(path string) error { return os.Symlink("none", path) }, "is a symbolic link"},
		{"a file", func(path string) error { return os.WriteFile(path, nil, 0o600) }, "is a file, not a folder"},
		{"a FIFO", func(path string) error { return unix.Mkfifo(path, 0o600) }, "is a FIFO, not a folder"},
		{"another user's folder", plantForeign, "belongs to user 12345"},
	}
	for _, test := range tests {
		for _, place := range []string{"base", "machine"} {
			t.Run(test.name+" as the folder of the "+place, func(t *testing.T) {
				path, m := base(t), Of("m")
				if place == "machine" {
					path = m.Path()
					if err := os.Mkdir(Base(), 0o700); err != nil {
						t.Fatal(err)
					}
				}
				if err := test.plant(path); errors.Is(err, errNotRoot) {
					t.Skip("only root can change the owner of a folder (run the tests as root)")
				} else if err != nil {
					t.Fatal(err)
				}
				_, locked := m.Locked()
				for name, err := range map[string]error{"Create": m.Create(), "Locked": locked} {
					if err == nil || !strings.HasPrefix(err.Error(), path+": "+test.want) {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
	}
}

var errNotRoot = errors.New("not root")

func plantForeign(path string) error {
	if os.Getuid() != 0 {
		return errNotRoot
	}
	if err := os.Mkdir(path, 0o777); err != nil {
		return err
	}
	return os.Chown(path, 12345, 12345)
}
