package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// service makes the folder of a machine that is a service, as systemd does, in a base folder that
// only this user can write to. It returns the base folder.
func service(t *testing.T, name string, mode os.FileMode) string {
	t.Helper()
	base := filepath.Join(base(t), "system")
	if err := errors.Join(os.MkdirAll(filepath.Join(base, name), 0o755), os.Chmod(base, 0o755), os.Chmod(filepath.Join(base, name), mode)); err != nil {
		t.Fatal(err)
	}
	return base
}

func TestGivenFolders(t *testing.T) {
	base(t)
	tests := []struct{ name, runtime, state, want, journal string }{
		{"a service", "/run/microvm/demo", "/var/lib/microvm/demo", "/run/microvm/demo", "/var/lib/microvm/demo/serial"},
		{"several folders", "/run/other:/run/microvm/demo", "/x:/y/microvm/demo", "/run/microvm/demo", "/y/microvm/demo/serial"},
		{"another machine's", "/run/microvm/other", "/var/lib/microvm/other", Base() + "/demo", "/state/microvm/demo/serial"},
		{"another program's", "/run/demo", "/var/lib/demo", Base() + "/demo", "/state/microvm/demo/serial"},
		{"no state", "/run/microvm/demo", "", "/run/microvm/demo", "/state/microvm/demo/serial"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("RUNTIME_DIRECTORY", test.runtime)
			t.Setenv("STATE_DIRECTORY", test.state)
			t.Setenv("XDG_STATE_HOME", "/state")
			journal, err := Of("demo").Journal("serial")
			if got := Of("demo").Path(); got != test.want || journal != test.journal || err != nil {
				t.Errorf("got %s and %s, %v", got, journal, err)
			}
		})
	}
}

// The machines of services are found if only root or this user can have made their folders. One's
// own machine comes first.
func TestSystemFolder(t *testing.T) {
	base := service(t, "web", 0o750)
	system, own := systemAt(base, "/none", "web"), Of("web")
	if found := find(own, system); found != system {
		t.Errorf("no machine runs, but %v is found", found)
	}
	lock := acquire(t, system)
	if info, err := os.Stat(system.Lock()); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the lock: %v, %v", info, err)
	}
	if running := runningSystem(base, "/none"); len(running) != 1 || running[0] != system {
		t.Errorf("running: %v", running)
	}
	owned := acquire(t, own)
	if found := find(own, system); found != own {
		t.Errorf("both run, but %v is found", found)
	}
	if all := withSystem([]Machine{own}, runningSystem(base, "/none")); len(all) != 1 || all[0] != own {
		t.Errorf("both run, but the list is %v", all)
	}
	release(t, owned)
	if err := os.Chmod(base, 0o777); err != nil {
		t.Fatal(err)
	}
	if held, err := system.Locked(); held || err == nil || !strings.HasSuffix(err.Error(), "other users can write to it") {
		t.Errorf("others can write to the folder: %v, %v", held, err)
	}
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	release(t, lock)
	if entries, err := os.ReadDir(system.Path()); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// A planted FIFO in place of the lock does not block, and is not followed if it is a link.
func TestPlantedLockOfAService(t *testing.T) {
	base := service(t, "web", 0o755)
	machine := systemAt(base, "/none", "web")
	if err := os.Symlink("/dev/null", machine.Lock()); err != nil {
		t.Fatal(err)
	}
	if held, err := machine.Locked(); held || err == nil {
		t.Errorf("a link: %v, %v", held, err)
	}
}

func TestForbidden(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/x", Err: fs.ErrPermission}
	base := service(t, "web", 0o700)
	for _, test := range []struct {
		machine Machine
		want    string
	}{
		{Of("web"), "open /x: permission denied"},
		{systemAt(base, "/none", "web"), "open /x: permission denied (it is a system service: use sudo)"},
	} {
		if err := test.machine.forbidden(denied); err.Error() != test.want || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	if err := os.Chmod(filepath.Join(base, "web"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := systemAt(base, "/none", "web").forbidden(denied); !strings.Contains(err.Error(), "or join the group ") {
		t.Error(err)
	}
}
