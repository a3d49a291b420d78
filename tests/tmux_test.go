package tests

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tmux is a window of a real terminal, as a user looks at one.
type tmux struct {
	t      *testing.T
	socket string
}

// openTmux opens a window with a shell in it.
func openTmux(t *testing.T, dir, columns, rows string) *tmux {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		skip(t, "tmux", "install Debian's tmux")
	}
	w := &tmux{t, filepath.Join(dir, "tmux")}
	w.do("-u", "-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", rows, "env", "PS1=host: ", "bash", "--norc", "--noprofile")
	t.Cleanup(func() { _, _ = command(t, root, "tmux", "-S", w.socket, "kill-server") })
	return w
}

// do runs a command of tmux and returns what it says.
func (w *tmux) do(args ...string) string {
	w.t.Helper()
	return must(w.t, root, "tmux", append([]string{"-S", w.socket}, args...)...)
}

// screen is what the window shows: its lines without the spaces at their ends,
// and where the cursor is.
type screen struct {
	lines  []string
	cursor string
}

// look looks at the window.
func (w *tmux) look() screen {
	w.t.Helper()
	text := w.do("display-message", "-p", "#{cursor_x},#{cursor_y} alternate #{alternate_on}", ";", "capture-pane", "-p")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return screen{lines[1:], lines[0]}
}

// last is the last line that is not empty.
func (s screen) last() string {
	for i := len(s.lines) - 1; i >= 0; i-- {
		if s.lines[i] != "" {
			return s.lines[i]
		}
	}
	return ""
}

// row is a line of the screen, from 0; from -1 counted from its end.
func (s screen) row(number int) string {
	if number < 0 {
		number += len(s.lines)
	}
	if number >= len(s.lines) {
		return ""
	}
	return s.lines[number]
}

func (s screen) String() string { return s.cursor + "\n" + strings.Join(s.lines, "\n") }

// until waits until the window shows something, and returns it.
func (w *tmux) until(what string, holds func(screen) bool) screen {
	w.t.Helper()
	for late := time.Now().Add(waitLimit); ; time.Sleep(20 * time.Millisecond) {
		now := w.look()
		if holds(now) {
			return now
		}
		if time.Now().After(late) {
			w.t.Fatalf("the window does not show %s within %v:\n%v", what, waitLimit, now)
		}
	}
}

// shows waits until a line of the window matches pattern, and returns the screen.
func (w *tmux) shows(pattern string) string {
	w.t.Helper()
	find := regexp.MustCompile("(?m)" + pattern)
	return w.until(pattern, func(s screen) bool { return find.MatchString(s.String()) }).String()
}

// prompt waits until the last line of the window ends with text.
func (w *tmux) prompt(text string) {
	w.t.Helper()
	w.until(text, func(s screen) bool { return strings.HasSuffix(s.last(), text) })
}

// enter types a line.
func (w *tmux) enter(line string) {
	w.t.Helper()
	w.do("send-keys", "-l", "--", line, ";", "send-keys", "Enter")
}

// press presses keys by their names.
func (w *tmux) press(keys ...string) { w.t.Helper(); w.do(append([]string{"send-keys"}, keys...)...) }
