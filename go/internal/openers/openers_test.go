package openers

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       Opener
	}{
		{"a FIFO", "pos:\t0\nflags:\t02100002\nmnt_id:\t13\nino:\t2468\n", Opener{Flags: 0o2100002}},
		{"its own lock", "flags:\t02\nlock:\t1: FLOCK  ADVISORY  WRITE 812 00:19:2468 0 EOF\n", Opener{Flags: 2, Locked: true, LockedBy: 812}},
		{"the lock of an ended process, in a PID namespace", "flags:\t02\nlock:\t1: FLOCK  ADVISORY  WRITE 0 00:19:2468 0 EOF\n", Opener{Flags: 2, Locked: true}},
		{"a shared lock", "flags:\t02\nlock:\t1: FLOCK  ADVISORY  READ 812 00:19:2468 0 EOF\n", Opener{Flags: 2}},
		{"a lock of fcntl", "flags:\t02\nlock:\t1: POSIX  ADVISORY  WRITE 812 00:19:2468 0 EOF\n", Opener{Flags: 2}},
		{"closed meanwhile", "", Opener{Flags: -1}},
		{"invalid", "flags:\tx\nlock:\n\xff", Opener{Flags: -1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, parse(test.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// inherit starts a process that has a file open. It runs until end is called.
func inherit(t *testing.T, file *os.File) (pid int, end func()) {
	t.Helper()
	child := exec.Command("sh", "-c", "echo; exec cat")
	child.ExtraFiles = []*os.File{file}
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	end = func() {
		stdin.Close()
		child.Wait()
	}
	t.Cleanup(end)
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return child.Process.Pid, end
}

// A lock taken by this process and inherited by a child is held by both. After this
// process closes it, it is held by the child alone.
func TestLockHolders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err == nil {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.Open(path) // as a process does that checks for a lock
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	bystander, _ := inherit(t, other)
	child, end := inherit(t, file)
	want := []int{os.Getpid(), child}
	slices.Sort(want)
	pids, owned := LockHolders(info)
	slices.Sort(pids)
	if diff := cmp.Diff(want, pids); diff != "" || !owned {
		t.Errorf("owned %t, bystander %d: %s", owned, bystander, diff)
	}
	file.Close()
	pids, owned = LockHolders(info)
	if diff := cmp.Diff([]int{child}, pids); diff != "" || owned {
		t.Errorf("after Close: owned %t: %s", owned, diff)
	}
	end()
	if pids, _ := LockHolders(info); len(pids) > 0 {
		t.Errorf("held by %d after all have ended", pids)
	}
}
