package guestinit

import (
	"context"
	"fmt"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestHidden(t *testing.T) {
	for dir, want := range map[string]bool{
		"/run": true, "/run/user/1000": true, "/dev/shm/x": true, "/proc/1": true, "/runner": false, "/tmp": false, "/": false,
	} {
		if got := hidden(dir); got != want {
			t.Errorf("%s: %t, want %t", dir, got, want)
		}
	}
}

// Without a Spec in the root directory, and with another process ID, microvm-agent is the agent of
// an ordinary guest.
func TestWanted(t *testing.T) {
	if Wanted() {
		t.Error("the test is the first process of a guest")
	}
}

// Processes that are inherited are waited for, and those of other goroutines are left to these.
func TestReap(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	own := exec.Command("sh", "-c", "sleep 1000 & echo $!; read line; exit 7")
	input, err := own.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := own.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	var waiting atomic.Bool
	waiting.Store(true)
	go func() { ended <- reap(ctx, func(pid int) bool { return waiting.Load() && pid == own.Process.Pid }) }()
	var orphan int
	if _, err := fmt.Fscan(output, &orphan); err != nil {
		t.Fatal(err)
	}
	if _, err := input.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	err = own.Wait()
	waiting.Store(false)
	if exit := own.ProcessState.ExitCode(); exit != 7 {
		t.Errorf("the status of the own process is %d (%v), want 7", exit, err)
	}
	if err := unix.Kill(orphan, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for unix.Kill(orphan, 0) == nil { // also for a zombie
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
