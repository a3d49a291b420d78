package process_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/process"
)

// hangLimit is when a test gives up waiting.
const hangLimit = 60 * time.Second

// start runs a shell script, which is killed at the end of the test.
func start(t *testing.T, script string, stdout io.Writer, files ...*os.File) *process.Process {
	t.Helper()
	p, err := process.Start(process.Command{Argv: []string{"/bin/sh", "-c", script}, Stdout: stdout, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// ended waits until p has ended.
func ended(t *testing.T, p *process.Process) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(hangLimit):
		t.Fatal("timed out: the process has not ended")
	}
}

func TestExit(t *testing.T) {
	tests := []struct {
		name, script string
		want         int
	}{
		{"done", "exit 0", 0},
		{"failed", "exit 7", 7},
		{"the highest status", "exit 255", 255},
		{"killed by SIGTERM", "kill -TERM $$", 128 + 15},
		{"killed by SIGKILL", "kill -KILL $$", 128 + 9},
		{"done, with a grandchild that keeps stderr", "sleep 1000 & exit 0", 0},
		{"failed, with a grandchild that keeps stderr", "sleep 1000 & exit 3", 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, test.script, nil)
			// The process has its own group, so this ends the grandchild but not the
			// test.
			t.Cleanup(func() { unix.Kill(-p.PID(), unix.SIGKILL) })
			ended(t, p)
			if got := p.Exit(); got != test.want {
				t.Errorf("exit status %d, want %d", got, test.want)
			}
		})
	}
}

func TestStdoutIsCompleteWhenDone(t *testing.T) {
	var out bytes.Buffer
	ended(t, start(t, "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo $i; done", &out))
	if lines := strings.Count(out.String(), "\n"); lines != 10000 || !strings.HasSuffix(out.String(), "\n10000\n") {
		t.Errorf("got %d lines of 10000", lines)
	}
}

func TestStderrKeepsTheLastLinesAsOne(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"nothing", "exit 1", ""},
		{"one line", "echo 'qemu: no such thing' >&2", "qemu: no such thing"},
		{"one without a line feed", "printf 'qemu: no such thing' >&2", "qemu: no such thing"},
		{"more than are returned", "printf '1\\n2\\n3\\n4\\n5\\n6\\n' >&2", "3; 4; 5; 6"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, test.script, nil)
			ended(t, p)
			if got := p.Stderr(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestStderrIsLimited(t *testing.T) {
	p := start(t, "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); printf '%s,' $i; done >&2", nil)
	ended(t, p)
	if got := p.Stderr(); len(got) != 16<<10 || !strings.HasSuffix(got, ",9999,10000,") {
		t.Errorf("%d bytes were kept, ending with %q", len(got), got[max(0, len(got)-20):])
	}
}

func TestFilesAreInheritedInOrder(t *testing.T) {
	ours, theirs := [2]*os.File{}, [2]*os.File{}
	for i := range ours {
		var err error
		if ours[i], theirs[i], err = os.Pipe(); err != nil {
			t.Fatal(err)
		}
		defer ours[i].Close()
	}
	p := start(t, "echo three >&3; echo four >&4", nil, theirs[:]...)
	for i, want := range []string{"three\n", "four\n"} {
		// EOF shows that Start has closed this process's copy.
		if got, err := io.ReadAll(ours[i]); string(got) != want || err != nil {
			t.Errorf("descriptor %d: got %q, want %q (%v)", 3+i, got, want, err)
		}
	}
	ended(t, p)
}

func TestAProcessHasItsOwnGroup(t *testing.T) {
	p := start(t, "exec sleep 1000", nil)
	if group, err := unix.Getpgid(p.PID()); err != nil || group != p.PID() {
		t.Errorf("process %d has group %d (%v)", p.PID(), group, err)
	}
}

func TestKillWaitsForTheEnd(t *testing.T) {
	p := start(t, "trap '' TERM INT HUP; exec sleep 1000", nil)
	p.Kill()
	if err := unix.Kill(p.PID(), 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("process %d still exists: %v", p.PID(), err)
	}
	if got := p.Exit(); got != 128+9 {
		t.Errorf("exit status %d, want %d", got, 128+9)
	}
	p.Kill() // may be called again
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Errorf("signal to an ended process: %v", err)
	}
}

func TestKillEndsTheGroup(t *testing.T) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	p := start(t, "sleep 1000 & echo >&3; wait", nil, theirs)
	output := bufio.NewReader(ours)
	if _, err := output.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	ours.SetReadDeadline(time.Now().Add(hangLimit))
	if _, err := output.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the grandchild still runs: %v", err)
	}
}

func TestSignal(t *testing.T) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	p := start(t, "trap 'exit 5' HUP; echo ready >&3; while :; do read line; done", nil, theirs)
	if _, err := bufio.NewReader(ours).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	ended(t, p)
	if got := p.Exit(); got != 5 {
		t.Errorf("exit status %d, want 5", got)
	}
}

func TestStartOfMissingProgram(t *testing.T) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	missing := t.TempDir() + "/none"
	_, err = process.Start(process.Command{Argv: []string{missing}, Files: []*os.File{theirs}})
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "start "+missing+": ") {
		t.Errorf("got %v", err)
	}
	if left, err := io.ReadAll(ours); len(left) > 0 || err != nil {
		t.Errorf("the inherited file: %q, %v", left, err)
	}
}
