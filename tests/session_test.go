package tests

import (
	"io"
	"os/exec"
	"regexp"
	"sync"
	"testing"
	"time"
)

// waitLimit is when a test gives up on what a busy machine should have done. An
// emulated one has longer.
var waitLimit = 2 * time.Minute

// session is a program that runs beside the test, as in a terminal.
type session struct {
	t     *testing.T
	run   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{} // closed when the program has ended

	mu   sync.Mutex
	text []byte
	more chan struct{} // closed and replaced when text grows
}

// start starts a program. The test ends it, if it has not ended by itself.
func start(t *testing.T, name string, args ...string) *session {
	t.Helper()
	s := &session{t: t, run: newCommand(t, name, args...), ended: make(chan struct{}), more: make(chan struct{})}
	s.run.Stdout, s.run.Stderr = s, s
	s.run.WaitDelay = 10 * time.Second
	stdin, err := s.run.StdinPipe()
	if err == nil {
		s.stdin = stdin
		err = s.run.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.run.Wait() // its status is read from ProcessState
		close(s.ended)
	}()
	t.Cleanup(func() {
		_ = s.run.Process.Kill() // it may have ended
		<-s.ended
	})
	return s
}

// Write takes what the program prints.
func (s *session) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, data...)
	close(s.more)
	s.more = make(chan struct{})
	return len(data), nil
}

// look returns what was printed so far, and a channel that is closed when
// there is more.
func (s *session) look() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text), s.more
}

// expect waits until pattern matches n times in what the program printed.
func (s *session) expect(pattern string, n int) {
	s.t.Helper()
	find := regexp.MustCompile(pattern)
	limit := time.After(waitLimit)
	for {
		text, more := s.look()
		if len(find.FindAllString(text, -1)) >= n {
			return
		}
		select {
		case <-more:
		case <-s.ended:
			if now, _ := s.look(); now == text {
				s.t.Fatalf("%s ended without %q, it printed:\n%s", s.run.Path, pattern, text)
			}
		case <-limit:
			s.t.Fatalf("%s: no %q within %v, it printed:\n%s", s.run.Path, pattern, waitLimit, text)
		}
	}
}

// send types text.
func (s *session) send(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.stdin, text); err != nil {
		s.t.Fatalf("%s: %v", s.run.Path, err)
	}
}

// status waits for the program's end and returns its exit status.
func (s *session) status() int {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(waitLimit):
		text, _ := s.look()
		s.t.Fatalf("%s: no end within %v, it printed:\n%s", s.run.Path, waitLimit, text)
	}
	return s.run.ProcessState.ExitCode()
}
