package harness

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Tmux is a window of tmux, a real terminal.
type Tmux struct {
	T      *testing.T
	socket string
}

// OpenTmux opens a window with a shell.
func OpenTmux(t *testing.T, dir, columns, rows string) *Tmux {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		Skip(t, "tmux", "install Debian's tmux")
	}
	w := &Tmux{t, filepath.Join(dir, "tmux")}
	w.Do("-u", "-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", rows, "env", "PS1=host: ", "bash", "--norc", "--noprofile")
	t.Cleanup(func() { _, _ = Command(t, Root, "tmux", "-S", w.socket, "kill-server") })
	return w
}

// ScreenOf returns the lines that tmux shows after the bytes of a file, without trailing spaces.
func ScreenOf(t *testing.T, path, columns, rows string) []string {
	t.Helper()
	w := OpenTmux(t, t.TempDir(), columns, rows)
	// The terminal has obeyed the bytes once it answers the query after them.
	show := `stty raw -echo; cat "$0"; printf '\033[5n'; until IFS= read -r -d n line; [[ $line = *$'\033[0' ]]; do :; done; tmux wait-for -S shown; sleep 600`
	w.Do("respawn-pane", "-k", "bash", "-c", show, path, ";", "wait-for", "shown")
	defer w.Do("kill-server")
	return w.Screen().Lines
}

// Do runs a command of tmux and returns its output.
func (w *Tmux) Do(args ...string) string {
	w.T.Helper()
	return Must(w.T, Root, "tmux", append([]string{"-S", w.socket}, args...)...)
}

// Screen is the contents of a window: its lines without trailing spaces, and the position of
// the cursor.
type Screen struct {
	Lines  []string
	Cursor string
}

// Screen returns the contents of the window.
func (w *Tmux) Screen() Screen {
	w.T.Helper()
	text := w.Do("display-message", "-p", "#{cursor_x},#{cursor_y} alternate #{alternate_on}", ";", "capture-pane", "-p")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return Screen{lines[1:], lines[0]}
}

// Last returns the last line that is not empty.
func (s Screen) Last() string {
	for i := len(s.Lines) - 1; i >= 0; i-- {
		if s.Lines[i] != "" {
			return s.Lines[i]
		}
	}
	return ""
}

// Row returns a line of the screen: 0 is the first one, -1 the last one.
func (s Screen) Row(number int) string {
	if number < 0 {
		number += len(s.Lines)
	}
	if number >= len(s.Lines) {
		return ""
	}
	return s.Lines[number]
}

func (s Screen) String() string { return s.Cursor + "\n" + strings.Join(s.Lines, "\n") }

// Until waits until holds returns true, and returns the screen. what describes the condition.
func (w *Tmux) Until(what string, holds func(Screen) bool) Screen {
	w.T.Helper()
	for late := time.Now().Add(WaitLimit); ; time.Sleep(20 * time.Millisecond) {
		now := w.Screen()
		if holds(now) {
			return now
		}
		if time.Now().After(late) {
			w.T.Fatalf("the window does not show %s within %v:\n%v", what, WaitLimit, now)
		}
	}
}

// Shows waits until a line of the window matches pattern, and returns the screen as text.
func (w *Tmux) Shows(pattern string) string {
	w.T.Helper()
	find := regexp.MustCompile("(?m)" + pattern)
	return w.Until(pattern, func(s Screen) bool { return find.MatchString(s.String()) }).String()
}

// Prompt waits until the last line of the window ends with text.
func (w *Tmux) Prompt(text string) {
	w.T.Helper()
	w.Until(text, func(s Screen) bool { return strings.HasSuffix(s.Last(), text) })
}

// Enter types a line.
func (w *Tmux) Enter(line string) {
	w.T.Helper()
	w.Do("send-keys", "-l", "--", line, ";", "send-keys", "Enter")
}

// Press presses keys, which have the names of tmux.
func (w *Tmux) Press(keys ...string) { w.T.Helper(); w.Do(append([]string{"send-keys"}, keys...)...) }
