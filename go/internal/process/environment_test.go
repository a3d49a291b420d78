package process_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"microvm-console/internal/process"
)

// A process gets the descriptors that it is given, and none that this one has
// inherited.
func TestForeignDescriptorsAreNotInherited(t *testing.T) {
	foreign, err := unix.Open("/dev/null", unix.O_RDONLY, 0) // not O_CLOEXEC: as one that was inherited
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(foreign)
	given, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	var out bytes.Buffer
	ended(t, start(t, fmt.Sprintf("for fd in 3 %d; do [ -e /proc/$$/fd/$fd ] && echo $fd; done", foreign), &out, theirs))
	if got := out.String(); got != "3\n" {
		t.Errorf("of 3 and the foreign %d it has %q", foreign, got)
	}
}

func TestSmallEnvironment(t *testing.T) {
	t.Setenv("TMPDIR", "/somewhere")
	t.Setenv("API_TOKEN", "secret")
	var out bytes.Buffer
	p, err := process.Start(process.Command{Argv: []string{"/bin/sh", "-c", "export -p"}, Env: process.SmallEnvironment(), Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	ended(t, p)
	if text := out.String(); !strings.Contains(text, "/somewhere") || !strings.Contains(text, "PATH") || strings.Contains(text, "secret") {
		t.Errorf("it has the environment\n%s", text)
	}
}

// KillOther returns once the process has ended; one that is not meant goes on.
func TestKillOther(t *testing.T) {
	p := start(t, "trap '' TERM; exec sleep 1000", nil)
	meant := false
	isMeant := func() bool { return meant }
	if err := process.KillOther(p.PID(), isMeant, hangLimit); err != nil {
		t.Error(err)
	}
	if err := unix.Kill(p.PID(), 0); err != nil {
		t.Errorf("a process that was not meant: %v", err)
	}
	fd, err := unix.PidfdOpen(p.PID(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	meant = true
	if err := process.KillOther(p.PID(), isMeant, hangLimit); err != nil {
		t.Error(err)
	}
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0); n != 1 {
		t.Errorf("KillOther returned while the process ran (%v)", err)
	}
	ended(t, p)
	if err := process.KillOther(p.PID(), isMeant, hangLimit); err != nil {
		t.Errorf("a process that has ended: %v", err)
	}
}

func TestSignalOther(t *testing.T) {
	p := start(t, "exec sleep 1000", nil)
	if err := process.SignalOther(p.PID(), unix.SIGKILL, func() bool { return false }); err != nil {
		t.Error(err)
	}
	if err := unix.Kill(p.PID(), 0); err != nil {
		t.Errorf("a process that was not meant: %v", err)
	}
	if err := process.SignalOther(p.PID(), unix.SIGTERM, func() bool { return true }); err != nil {
		t.Error(err)
	}
	ended(t, p)
	if err := process.SignalOther(p.PID(), unix.SIGTERM, func() bool { return true }); err != nil {
		t.Errorf("a process that has ended: %v", err)
	}
}
