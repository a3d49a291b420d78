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

// A process inherits the given descriptors, but none that this process has inherited.
func TestInheritedDescriptorsAreNotPassedOn(t *testing.T) {
	foreign, err := unix.Open("/dev/null", unix.O_RDONLY, 0) // without O_CLOEXEC, like an inherited one
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
		t.Errorf("the process has descriptors %[2]q, want only 3, not %[1]d", foreign, got)
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
		t.Errorf("the environment is\n%s", text)
	}
}

// KillOther returns once the process has ended. It does nothing if the process is not the
// target.
func TestKillOther(t *testing.T) {
	p := start(t, "trap '' TERM; exec sleep 1000", nil)
	target := false
	isTarget := func() bool { return target }
	if err := process.KillOther(p.PID(), isTarget, hangLimit); err != nil {
		t.Error(err)
	}
	if err := unix.Kill(p.PID(), 0); err != nil {
		t.Errorf("a process that is not the target: %v", err)
	}
	fd, err := unix.PidfdOpen(p.PID(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	target = true
	if err := process.KillOther(p.PID(), isTarget, hangLimit); err != nil {
		t.Error(err)
	}
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0); n != 1 {
		t.Errorf("KillOther returned before the process ended (%v)", err)
	}
	ended(t, p)
	if err := process.KillOther(p.PID(), isTarget, hangLimit); err != nil {
		t.Errorf("an ended process: %v", err)
	}
}

func TestSignalOther(t *testing.T) {
	p := start(t, "exec sleep 1000", nil)
	if err := process.SignalOther(p.PID(), unix.SIGKILL, func() bool { return false }); err != nil {
		t.Error(err)
	}
	if err := unix.Kill(p.PID(), 0); err != nil {
		t.Errorf("a process that is not the target: %v", err)
	}
	if err := process.SignalOther(p.PID(), unix.SIGTERM, func() bool { return true }); err != nil {
		t.Error(err)
	}
	ended(t, p)
	if err := process.SignalOther(p.PID(), unix.SIGTERM, func() bool { return true }); err != nil {
		t.Errorf("an ended process: %v", err)
	}
}
