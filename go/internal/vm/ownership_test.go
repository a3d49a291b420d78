package vm

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
)

// script returns the path of a script with the lines. In them, $QEMU is the fake QEMU.
func script(t *testing.T, qemu string, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "qemu")
	text := "#!/bin/sh\nQEMU=" + qemu + "\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// If the program is a script that runs QEMU as a child, and the script is killed, Run ends QEMU.
func TestQEMUAsAChildOfAScriptEnds(t *testing.T) {
	m := machine(t)
	pidFile := filepath.Join(t.TempDir(), "pid")
	m.QEMU = script(t, m.QEMU, `"$QEMU" "$@" & echo $! >`+pidFile, "wait")
	v, ended := run(t, m)
	started(t, v)
	text, err := os.ReadFile(pidFile)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || !alive(pid) || pid == v.Status().QEMUPID {
		t.Fatalf("QEMU is %q, %v", text, err)
	}
	if err := unix.Kill(v.Status().QEMUPID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "QEMU was killed by SIGKILL") {
		t.Errorf("Run: %v", err)
	}
	if alive(pid) {
		unix.Kill(pid, unix.SIGKILL)
		t.Error("QEMU is left behind")
	}
	if _, err := os.Lstat(rundir.Of("m").Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the VM's directory is left: %v", err)
	}
}

// QEMU inherits the lock, whose file has its process id, and a small environment, but no other
// open files of this process.
func TestQEMUInherits(t *testing.T) {
	m := machine(t)
	m.Sandbox = true
	t.Setenv("API_TOKEN", "secret")
	secret := filepath.Join(t.TempDir(), "secret")
	foreign, err := unix.Open(secret, unix.O_RDWR|unix.O_CREAT, 0o600) // without O_CLOEXEC, like an inherited one
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(foreign)
	v, ended := run(t, m)
	started(t, v)
	proc := "/proc/" + strconv.Itoa(v.Status().QEMUPID)
	environment, err := os.ReadFile(proc + "/environ")
	if err != nil || strings.Contains(string(environment), "API_TOKEN") || !strings.Contains(string(environment), "PATH=") {
		t.Errorf("its environment is %q, %v", environment, err)
	}
	if lock, err := os.Readlink(proc + "/fd/" + strconv.Itoa(lockFD)); err != nil || lock != rundir.Of("m").Lock() {
		t.Errorf("descriptor %d is %s, %v", lockFD, lock, err)
	}
	descriptors, err := os.ReadDir(proc + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, descriptor := range descriptors {
		if target, _ := os.Readlink(proc + "/fd/" + descriptor.Name()); target == secret {
			t.Errorf("descriptor %s is inherited", descriptor.Name())
		}
	}
	text, err := os.ReadFile(rundir.Of("m").Lock())
	if want := strconv.Itoa(os.Getpid()) + "\n" + strconv.Itoa(v.Status().QEMUPID) + "\n"; string(text) != want {
		t.Errorf("the lock says %q, %v, want %q", text, err, want)
	}
	v.Stop(t.Context(), ctl.StopRequest{Force: true})
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestSandbox(t *testing.T) {
	t.Run("a forbidden system call", func(t *testing.T) {
		m := machine(t)
		m.QEMU, m.Sandbox = script(t, m.QEMU, `[ "$1" = -sandbox ] && exit`, `kill -SYS $$`), true
		_, ended := run(t, m)
		const want = `QEMU was killed by SIGSYS at its start: the sandbox forbids a system call that its arguments need (change qemuArgs, or set "sandbox": false in vm.json)`
		if err := <-ended; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run: %v", err)
		}
	})
	t.Run("a QEMU without a sandbox", func(t *testing.T) {
		m := machine(t)
		m.QEMU, m.Sandbox = script(t, m.QEMU, `[ "$1" = -sandbox ] && exit 1`, `[ "$1" = -help ] && exit`, `exec "$QEMU" "$@"`), true
		v, ended := run(t, m)
		started(t, v)
		notes := v.Status().Notes
		if len(notes) != 1 || notes[0].Text != "QEMU runs without a sandbox: "+m.QEMU+" is built without seccomp" {
			t.Errorf("notes: %v", notes)
		}
		v.Stop(t.Context(), ctl.StopRequest{Force: true})
		<-ended
	})
}
