package harness

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// WaitLimit is the time limit of a test that waits for something. It is generous, for busy
// machines, and longer in an emulated machine.
var WaitLimit = 2 * time.Minute

// Session is a program that runs while the test types into it and reads its output.
type Session struct {
	T     *testing.T
	Cmd   *exec.Cmd
	Ended chan struct{} // closed when the program has ended
	stdin io.WriteCloser

	mu   sync.Mutex
	text []byte
	more chan struct{} // closed and replaced when text grows
}

// Start starts a program. It is killed at the end of the test if it still runs.
func Start(t *testing.T, name string, args ...string) *Session {
	t.Helper()
	s := &Session{T: t, Cmd: NewCommand(t, name, args...), Ended: make(chan struct{}), more: make(chan struct{})}
	s.Cmd.Stdout, s.Cmd.Stderr = s, s
	s.Cmd.WaitDelay = 10 * time.Second
	stdin, err := s.Cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stdin = stdin
	if err := s.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.Cmd.Wait() // Status returns the status from ProcessState
		close(s.Ended)
	}()
	t.Cleanup(func() {
		_ = s.Cmd.Process.Kill() // an error means that it has ended
		<-s.Ended
	})
	return s
}

// StartWithoutInput is Start for a program whose stdin is empty.
func StartWithoutInput(t *testing.T, name string, args ...string) *Session {
	t.Helper()
	s := Start(t, name, args...)
	if err := s.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// Write stores data as output of the program.
func (s *Session) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, data...)
	close(s.more)
	s.more = make(chan struct{})
	return len(data), nil
}

// Printed returns the output of the program so far.
func (s *Session) Printed() string {
	text, _ := s.printed()
	return text
}

// printed is Printed, with a channel that is closed when there is more output.
func (s *Session) printed() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text), s.more
}

// Expect waits until pattern matches n times in the output of the program.
func (s *Session) Expect(pattern string, n int) {
	s.T.Helper()
	find := regexp.MustCompile(pattern)
	limit := time.After(WaitLimit)
	for {
		text, more := s.printed()
		if len(find.FindAllString(text, -1)) >= n {
			return
		}
		select {
		case <-more:
		case <-s.Ended:
			if s.Printed() == text {
				s.T.Fatalf("%s ended without printing %q, but printed:\n%s", s.Cmd.Path, pattern, text)
			}
		case <-limit:
			s.T.Fatalf("%s: no %q within %v, but printed:\n%s", s.Cmd.Path, pattern, WaitLimit, text)
		}
	}
}

// Send writes text to the stdin of the program.
func (s *Session) Send(text string) {
	s.T.Helper()
	if _, err := io.WriteString(s.stdin, text); err != nil {
		s.T.Fatalf("%s: %v", s.Cmd.Path, err)
	}
}

// Status waits for the end of the program and returns its exit status.
func (s *Session) Status() int {
	s.T.Helper()
	select {
	case <-s.Ended:
	case <-time.After(WaitLimit):
		s.T.Fatalf("%s: still running after %v, printed:\n%s", s.Cmd.Path, WaitLimit, s.Printed())
	}
	return s.Cmd.ProcessState.ExitCode()
}

// Alive reports whether a process runs. A zombie does not.
func Alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}
