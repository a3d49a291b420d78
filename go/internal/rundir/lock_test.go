package rundir

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The test binary owns a machine, until its stdin is closed, if RUNDIR_TEST_OWNER is set.
func TestMain(m *testing.M) {
	if name := os.Getenv("RUNDIR_TEST_OWNER"); name != "" {
		_, err := Of(name).Acquire()
		fmt.Println("owned:", err)
		bufio.NewReader(os.Stdin).ReadByte()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// owner starts a process that owns the machine with this name. kill kills it.
func owner(t *testing.T, name string) (pid int, kill func()) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "RUNDIR_TEST_OWNER="+name)
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		stdin.Close()
		command.Process.Kill()
		command.Wait()
	})
	t.Cleanup(kill)
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "owned: <nil>\n" {
		t.Fatal(line, err)
	}
	return command.Process.Pid, kill
}

// acquire calls Acquire, which must succeed.
func acquire(t *testing.T, m Machine) *Lock {
	t.Helper()
	lock, err := m.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

func release(t *testing.T, lock *Lock) {
	t.Helper()
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

func TestErrorNamesTheOwner(t *testing.T) {
	base(t)
	pid, _ := owner(t, "m")
	_, err := Of("m").Acquire()
	want := fmt.Sprintf(`vm "m": already running (by pid %d; stop it with microvm-shutdown, or choose another --name)`, pid)
	if !errors.Is(err, ErrLocked) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	release(t, acquire(t, Of("another")))
}

func TestReleaseRemovesTheFolder(t *testing.T) {
	base := base(t)
	m := Of("m")
	lock := acquire(t, m)
	for _, path := range []string{m.Ctl(), m.State()} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(m.Path()+"/serial/journal", 0o700); err != nil {
		t.Fatal(err)
	}
	release(t, lock)
	left, err := os.ReadDir(base)
	if err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

func TestReleaseOfARemovedFolder(t *testing.T) {
	base := base(t)
	lock := acquire(t, Of("m"))
	if err := os.RemoveAll(base); err != nil {
		t.Fatal(err)
	}
	release(t, lock)
}

func TestTheFolderOfAKilledOwnerIsReused(t *testing.T) {
	base(t)
	m := Of("m")
	_, kill := owner(t, "m")
	kill()
	if _, err := os.Stat(m.Lock()); err != nil {
		t.Fatalf("the owner left no lock file: %v", err)
	}
	if locked, err := m.Locked(); locked || err != nil {
		t.Errorf("locked %t, %v", locked, err)
	}
	lock := acquire(t, m)
	defer release(t, lock)
	data, err := os.ReadFile(m.Lock())
	if want := fmt.Sprintf("%d\n", os.Getpid()); string(data) != want {
		t.Errorf("the lock file contains %q, want %q (%v)", data, want, err)
	}
}

func TestAPlantedLockIsRefused(t *testing.T) {
	base(t)
	m := Of("m")
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	victim := t.TempDir() + "/victim"
	if err := errors.Join(os.WriteFile(victim, []byte("precious"), 0o600), os.Symlink(victim, m.Lock())); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Acquire(); err == nil || !strings.Contains(err.Error(), m.Lock()) {
		t.Errorf("Acquire: %v", err)
	}
	if data, err := os.ReadFile(victim); string(data) != "precious" {
		t.Errorf("the target of the link contains %q (%v)", data, err)
	}
}

func TestRunning(t *testing.T) {
	base := base(t)
	names := func() []string {
		running, err := Running()
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, m := range running {
			names = append(names, m.Name())
		}
		return names
	}
	if diff := cmp.Diff([]string{}, names()); diff != "" {
		t.Error("no base folder:", diff)
	}
	defer release(t, acquire(t, Of("b")))
	defer release(t, acquire(t, Of("a")))
	release(t, acquire(t, Of("ended")))
	if err := errors.Join(Of("stale").Create(), os.WriteFile(Of("stale").Lock(), []byte("1\n"), 0o600),
		os.WriteFile(base+"/stray", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, names()); diff != "" {
		t.Error(diff)
	}
}

// The remedy names the unit only if the relay runs in it.
func TestStopCommand(t *testing.T) {
	const unit = "qemu-serial-relay.service"
	for _, test := range []struct{ name, cgroups, want string }{
		{"a user's service", "0::/user.slice/user-7.slice/user@7.service/app.slice/" + unit + "\n", "systemctl --user stop " + unit},
		{"a service of the system", "0::/system.slice/" + unit + "\n", "systemctl stop " + unit},
		{"control groups of version 1", "3:memory:/\n1:name=systemd:/user.slice/user-7.slice/user@7.service/" + unit + "\n0::/\n", "systemctl --user stop " + unit},
		{"a shell", "0::/user.slice/user-7.slice/session-2.scope\n", ""},
		{"another channel's service", "0::/user.slice/user-7.slice/user@7.service/app.slice/qemu-monitor-relay.service\n", ""},
		{"an ended process", "", ""},
	} {
		if got := stopCommand(test.cgroups, unit); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
