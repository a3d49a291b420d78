package vm

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
	"microvm-console/internal/testsupport/qemutest"
	"microvm-console/internal/vmconfig"
)

func TestFailedStarts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	takenPort := taken.Addr().(*net.TCPAddr).Port
	for _, test := range []struct {
		name   string
		change func(*vmconfig.Machine)
		want   []string
	}{
		{"QEMU refuses its arguments", func(m *vmconfig.Machine) { m.KernelParams = []string{"fake.exit=1"} },
			[]string{"QEMU ended with status 1 at its start", "fake: exit by fake.exit"}},
		{"a port is taken", func(m *vmconfig.Machine) { m.Consoles[1].Port = takenPort },
			[]string{`console "console": listen 127.0.0.1:` + strconv.Itoa(takenPort) + ": address already in use (by pid " + strconv.Itoa(os.Getpid()), "--auto-ports"}},
		{"QEMU is missing", func(m *vmconfig.Machine) { m.QEMU = "/nonexistent/qemu" },
			[]string{"start /nonexistent/qemu", unix.ENOENT.Error()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := machine(t)
			test.change(&m)
			v := New(m, Options{})
			err := v.Run(t.Context())
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if _, err := os.Lstat(rundir.Of("m").Path()); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the VM's directory is left: %v", err)
			}
		})
	}
}

func TestAutoPortsReplacesATakenPort(t *testing.T) {
	m := machine(t)
	taken, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(m.Consoles[0].Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	v, _ := run(t, m)
	started(t, v)
	consoles := v.Status().Consoles
	if consoles[0].Port == m.Consoles[0].Port || consoles[1].Port != m.Consoles[1].Port {
		t.Errorf("ports %+v of %+v", consoles, m.Consoles)
	}
	v.Stop(t.Context(), ctl.StopRequest{Force: true})
}

func TestSecondStartNamesTheOwner(t *testing.T) {
	m := machine(t)
	v, ended := run(t, m)
	started(t, v)
	err := New(m, Options{}).Run(t.Context())
	if !errors.Is(err, rundir.ErrLocked) || !strings.Contains(err.Error(), "by pid "+strconv.Itoa(os.Getpid())) {
		t.Errorf("the second start: %v", err)
	}
	v.Stop(t.Context(), ctl.StopRequest{Force: true})
	if err := <-ended; err != nil {
		t.Errorf("the first start: %v", err)
	}
}

func TestQEMUDiesWithItsOwner(t *testing.T) {
	dir := short(t)
	self, _ := os.Executable()
	path := filepath.Join(dir, "vm.json")
	text := `{"name": "m", "accel": "tcg", "qemu": "` + self + `", "kernel": "` + qemutest.Kernel(t) + `",
		"consoles": [{"name": "serial", "device": "ttyS0", "port": ` + strconv.Itoa(port(t)) + `}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_STATE_HOME", dir)
	owner := exec.Command(self)
	owner.Env = append(os.Environ(), "VM_TEST_OWNER="+path)
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	defer owner.Process.Kill()
	_, status, err := ctl.Find(t.Context(), "m")
	for err == nil && status.State == state.Starting {
		_, status, err = ctl.Find(t.Context(), "m")
	}
	if err != nil {
		t.Fatal(err)
	}
	owner.Process.Kill()
	owner.Wait()
	for deadline := time.Now().Add(hangLimit); alive(status.QEMUPID); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("QEMU, pid %d, outlives its owner", status.QEMUPID)
		}
	}
	// The owner's files do not prevent the next start.
	m, err := vmconfig.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	v, ended := run(t, m)
	started(t, v)
	v.Stop(t.Context(), ctl.StopRequest{Force: true})
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestQEMUThatCrashesIsAnError(t *testing.T) {
	_, ended := run(t, machine(t, "fake.die=9"))
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "QEMU was killed by SIGKILL") {
		t.Errorf("Run: %v", err)
	}
}
