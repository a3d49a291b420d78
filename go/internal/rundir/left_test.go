package rundir

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// inherit starts a process that inherits the lock. It holds the lock until stdin is closed.
func inherit(t *testing.T, lock *Lock) (pid int, stdin io.Closer) {
	t.Helper()
	file, err := lock.Inherit()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	qemu := exec.Command("sh", "-c", "echo; exec cat")
	qemu.ExtraFiles = []*os.File{file}
	stdin, err = qemu.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := qemu.StdoutPipe()
	if err == nil {
		err = qemu.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		qemu.Wait()
	})
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return qemu.Process.Pid, stdin
}

// If QEMU outlives its owner, the machine stays locked, and Acquire returns QEMU's
// process ID.
func TestQEMULeftBehind(t *testing.T) {
	base(t)
	m := Of("m")
	lock := acquire(t, m)
	pid, stdin := inherit(t, lock)
	if err := lock.AddPID(pid); err != nil {
		t.Fatal(err)
	}
	if left := m.LeftBehind(); left != nil {
		t.Errorf("LeftBehind is %d while the owner runs", left)
	}
	if pids := lock.OtherHolders(); len(pids) != 1 || pids[0] != pid {
		t.Errorf("the lock is held by %d, want %d", pids, pid)
	}
	if text, err := os.ReadFile(m.Lock()); string(text) != fmt.Sprintf("%d\n%d\n", os.Getpid(), pid) {
		t.Errorf("the lock file contains %q, %v", text, err)
	}
	lock.file.Close() // like the kernel when the owner ends
	_, err := m.Acquire()
	want := fmt.Sprintf("(pid %d)", pid)
	if left := (*LeftError)(nil); !errors.As(err, &left) || !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want it to contain %s", err, want)
	}
	stdin.Close()
	release(t, acquire(t, m)) // QEMU has ended
}
