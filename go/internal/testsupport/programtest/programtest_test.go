package programtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// recorder is a testscript.T that records what a failed transcript prints.
type recorder struct {
	log    strings.Builder
	failed bool
}

func (r *recorder) Skip(args ...any)  { r.Log(args...) }
func (r *recorder) Log(args ...any)   { fmt.Fprintln(&r.log, args...) }
func (r *recorder) Parallel()         {}
func (r *recorder) Verbose() bool     { return false }
func (r *recorder) Fatal(args ...any) { r.Log(args...); r.FailNow() }
func (r *recorder) FailNow() {
	r.failed = true
	panic(r)
}

func (r *recorder) Run(_ string, f func(testscript.T)) {
	defer func() {
		if value := recover(); value != nil && value != any(r) {
			panic(value)
		}
	}()
	f(r)
}

// A transcript that hangs fails at the deadline, and the failure names its line.
func TestDeadline(t *testing.T) {
	r := &recorder{}
	testscript.RunT(r, params("testdata", time.Now().Add(2*time.Second)))
	if !r.failed || !strings.Contains(r.log.String(), "hang.txtar:3:") {
		t.Errorf("failed: %t, with\n%s", r.failed, &r.log)
	}
}

// A VM that a transcript leaves behind is ended.
func TestKillOwners(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	left := exec.Command("sleep", "60")
	left.Dir = dir
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(dir, "microvm", "demo", "lock")
	if err := os.MkdirAll(filepath.Dir(lock), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lock, fmt.Appendf(nil, "%d\n", left.Process.Pid), 0o600); err != nil {
		t.Fatal(err)
	}
	killOwners(dir)
	var exit *exec.ExitError
	if err := left.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v", err)
	}
}
