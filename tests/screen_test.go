package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// screen is a terminal with somebody in front of it: it shows what a person
// would see, after all the escape sequences, and takes keys.
type screen struct {
	t      *testing.T
	socket string
	status string // the file that gets the command's exit status
}

// open runs a bash command in a terminal of 100 columns and 30 rows, in the
// checkout. The test ends it, if it has not ended by itself.
func open(t *testing.T, command string) *screen {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		skip(t, "tmux", "install it")
	}
	dir, err := os.MkdirTemp("", "screen-") // short, for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &screen{t: t, socket: filepath.Join(dir, "tmux"), status: filepath.Join(dir, "status")}
	script := fmt.Sprintf("(%s)\necho $? >%s.new && mv %s.new %s\nread -r -d ''", command, s.status, s.status, s.status)
	s.tmux("new-session", "-d", "-x", "100", "-y", "30", "bash", "-c", script)
	t.Cleanup(func() { s.tmux("kill-server") })
	return s
}

// tmux gives the terminal an order, and returns the answer.
func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	return must(s.t, root, "tmux", append([]string{"-u", "-f", "/dev/null", "-S", s.socket}, args...)...)
}

// look returns what the terminal shows, without the empty lines at its end.
func (s *screen) look() string {
	s.t.Helper()
	return strings.TrimRight(s.tmux("capture-pane", "-p"), "\n") + "\n"
}

// shows waits until pattern matches what the terminal shows, and returns that.
func (s *screen) shows(pattern string) string {
	s.t.Helper()
	find := regexp.MustCompile("(?m)" + pattern)
	var text string
	for limit := time.Now().Add(waitLimit); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		if text = s.look(); find.MatchString(text) {
			return text
		}
	}
	s.t.Fatalf("the terminal shows no %q within %v, but:\n%s", pattern, waitLimit, text)
	return ""
}

// keys presses keys, as tmux calls them: C-c, Enter.
func (s *screen) keys(names ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys"}, names...)...)
}

// ended waits for the command's end, and returns its exit status.
func (s *screen) ended() string {
	s.t.Helper()
	for limit := time.Now().Add(waitLimit); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		if text, err := os.ReadFile(s.status); err == nil {
			return strings.TrimSpace(string(text))
		}
	}
	s.t.Fatalf("no end within %v, the terminal shows:\n%s", waitLimit, s.look())
	return ""
}

func TestScreen(t *testing.T) {
	s := open(t, `printf 'wrong\rright\n'; stty size; cat; exit 3`)
	if text := s.shows(`^30 100$`); text != "right\n30 100\n" {
		t.Errorf("it shows:\n%s", text)
	}
	s.keys("typed", "Enter")
	s.shows(`^typed\ntyped$`)
	s.keys("C-d")
	if status := s.ended(); status != "3" {
		t.Errorf("status %q", status)
	}
}
