package process_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/process"
)

// The test binary runs as a parent process if PROCESS_TEST is set.
func TestMain(m *testing.M) {
	if os.Getenv("PROCESS_TEST") == "parent" {
		parent()
		return
	}
	os.Exit(m.Run())
}

// parent starts a child that sleeps, prints its ID, and waits.
func parent() {
	child, err := process.Start(process.Command{Argv: []string{"/bin/sh", "-c", "exec sleep 1000"}})
	if err != nil {
		panic(err)
	}
	fmt.Println(child.PID())
	<-child.Done()
}

// TestAChildDiesWithItsParent kills the parent with SIGKILL several times. The child must
// always end.
func TestAChildDiesWithItsParent(t *testing.T) {
	for range 10 {
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), "PROCESS_TEST=parent")
		stdout, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(stdout).ReadString('\n')
		command.Process.Kill()
		command.Wait()
		pid, _ := strconv.Atoi(strings.TrimSpace(line))
		if pid == 0 {
			t.Fatalf("the parent printed %q (%v)", line, err)
		}
		gone(t, pid)
	}
}

// gone waits until a process that is not a child of this one ends. A zombie has ended,
// even if its new parent has not waited for it.
func gone(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(polled, int(hangLimit/time.Millisecond))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n != 1 {
			unix.Kill(pid, unix.SIGKILL)
			t.Fatalf("process %d outlived its parent (%v)", pid, err)
		}
		return
	}
}
