package attach

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"microvm-console/internal/follow"
	"microvm-console/internal/testsupport/numbered"
	"microvm-console/internal/testsupport/qemutest"
	"microvm-console/internal/vm"
	"microvm-console/internal/vmconfig"
)

const (
	starts       = 10
	linesOfStart = 2000
)

// startVM starts a VM. Its guest prints the lines of a start, and powers off when "off" is
// typed. The channel receives the error with which the VM ends.
func startVM(t *testing.T, dir string, start int) chan error {
	t.Helper()
	var text bytes.Buffer
	if err := numbered.Write(&text, start*linesOfStart, (start+1)*linesOfStart); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fmt.Sprintf("lines.%d", start))
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := vmconfig.Parse(fmt.Appendf(nil, `{"name": "demo", "accel": "tcg", "qemu": "fake-qemu", "kernel": %q,
		"kernelParams": ["fake.print=%s", "fake.off=off"], "consoles": [{"name": "serial", "device": "ttyS0", "port": 4440}]}`, qemutest.Kernel(t), path))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- vm.New(m, vm.Options{AutoPorts: true}).Run(t.Context()) }()
	return ended
}

// One terminal shows ten starts of a VM, with each byte once, and types into each of them.
func TestTerminalStays(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("LC_ALL", "C.UTF-8")
	dir := t.TempDir()
	s := newScreen(t, false)
	var ended chan error
	for start := range starts {
		running := startVM(t, dir, start)
		if start == 0 {
			ended = s.start(Options{Place: follow.Place{Machine: "demo"}})
		}
		s.await(fmt.Sprintf("line %d\n", (start+1)*linesOfStart-1))
		s.press("off\n")
		if err := result(t, running); err != nil {
			t.Fatalf("start %d: %v", start+1, err)
		}
	}
	s.awaitCount("[demo ended: powered off; waiting for its next start (Ctrl-] leaves)]\r\n", starts)
	s.press("\x1d")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
	s.wantRestored()
	var check numbered.Checker
	for _, line := range regexp.MustCompile(`(?m)^line \d+\n`).FindAllString(s.String(), -1) {
		if _, err := check.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := check.Whole(starts * linesOfStart); err != nil {
		t.Error(err)
	}
	rules := regexp.MustCompile(`(?m)^──── boot (\d+) · \d\d:\d\d:\d\d ────\r\n`).FindAllStringSubmatch(s.String(), -1)
	if len(rules) != starts {
		t.Fatalf("%d boots are marked, want %d", len(rules), starts)
	}
	for i, rule := range rules {
		if rule[1] != fmt.Sprint(i+1) {
			t.Errorf("mark %d is for boot %s", i+1, rule[1])
		}
	}
}

// The escape key works while the VM does not run, even after its owner was killed.
func TestTerminalStaysWithoutOwner(t *testing.T) {
	_, owner := machine(t, "# ")
	s := newScreen(t, false)
	s.returnLimit = time.Millisecond
	ended := s.start(Options{})
	s.await("# ")
	owner.stop()
	s.await("\r\n[connection to demo lost]\r\n")
	s.await("[demo has ended; waiting for its next start (Ctrl-] leaves)]\r\n")
	s.press("typed into nothing\x1d")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
	s.wantRestored()
}

// An owner that does not answer for long, as on a busy host, may be taken for one that has ended.
// The terminal continues with it once it answers.
func TestTerminalStaysWithASlowOwner(t *testing.T) {
	guest, owner := machine(t, "before\n")
	s := newScreen(t, false)
	s.returnLimit = time.Millisecond
	ended := s.start(Options{})
	s.await("before\n")
	slow := make(chan struct{})
	guest.change(func() { owner.slow = slow })
	owner.breakOff()
	s.await("[demo has ended; waiting for its next start (Ctrl-] leaves)]\r\n")
	close(slow)
	guest.print("after\n")
	s.await("after\n")
	s.press("\x1d")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
}

// awaitCount waits until text is on the screen n times.
func (s *screen) awaitCount(text string, n int) {
	s.t.Helper()
	s.awaitThat(fmt.Sprintf("%d times %q", n, text), func(shown string) bool { return strings.Count(shown, text) >= n })
}
