package tests

import (
	"strconv"
	"strings"
	"testing"
)

// Both consoles in a real terminal: a login, full-screen programs, leaving in
// the middle of one and coming back, and a window of another size.
func TestTerminal(t *testing.T) {
	t.Parallel()
	private(t)
	vm := start(t, program(t, "microvm-run"), "--auto-ports")
	vm.expect(`console  hvc0   tcp localhost:\d+`, 1)
	for _, name := range []string{"connect-serial", "connect-console"} {
		t.Run(name, func(t *testing.T) {
			w := openTmux(t, t.TempDir(), "80", "24")
			w.prompt("host:")
			attach := program(t, name)
			w.enter(attach)
			loginAt(w)
			fullScreen(w)
			comeBack(w, attach)
			resize(w, "100", "30")
			resize(w, "80", "24")
			leave(w)
		})
	}
	must(t, root, program(t, "microvm-shutdown"))
	if code := vm.status(); code != 0 {
		t.Errorf("microvm-run has status %d", code)
	}
}

// loginAt logs in and keeps the kernel, which may print behind any prompt, from
// printing there.
func loginAt(w *tmux) {
	w.t.Helper()
	w.until("login:", func(s screen) bool { return strings.Contains(s.String(), " login:") })
	w.enter("root")
	w.until("the guest's shell", func(s screen) bool { return strings.Contains(s.String(), ":~#") })
	w.enter("dmesg -n 1")
	clearScreen(w)
}

// clearScreen clears the window.
func clearScreen(w *tmux) {
	w.t.Helper()
	w.enter("clear")
	w.until("a clear screen", func(s screen) bool { return strings.HasSuffix(s.row(0), ":~#") && s.last() == s.row(0) })
}

// fullScreen wants top to fill the window, again and again, and to go.
func fullScreen(w *tmux) {
	w.t.Helper()
	w.enter("top -d 1")
	first := w.until("top", func(s screen) bool {
		return strings.HasPrefix(s.row(0), "Mem: ") && strings.Contains(s.row(3), " COMMAND") && s.row(-1) != ""
	})
	w.until("top once more", func(s screen) bool {
		return strings.HasPrefix(s.row(0), "Mem: ") && s.row(-1) != "" && s.String() != first.String()
	})
	w.press("q")
	w.prompt("#")
}

// comeBack leaves in the middle of vi, and wants the host's shell to be as it
// was, and vi to be there when it comes back.
func comeBack(w *tmux, attach string) {
	w.t.Helper()
	w.enter("vi /etc/profile")
	vi(w, "# Read by login shells.")
	w.press("i")
	w.enter("hello")
	w.press("Escape")
	before := vi(w, "hello")
	if !strings.HasSuffix(before.cursor, "alternate 1") {
		w.t.Errorf("vi is not on the alternate screen:\n%v", before)
	}
	w.press("C-]")
	w.until("the host's shell", func(s screen) bool {
		return s.last() == "host:" && strings.Contains(s.String(), "\n[left console-demo]\nhost:") && strings.HasSuffix(s.cursor, "alternate 0")
	})
	w.enter("stty -a | grep -ow -e '-*icanon' -e '-*echo'; echo H-$((6*7))")
	w.until("a terminal that is as it was", func(s screen) bool {
		return strings.Contains(s.String(), "echo H-$((6*7))\nicanon\necho\nH-42\nhost:")
	})
	w.enter(attach)
	w.until("what was there before:\n"+before.String()+"\nbut", func(s screen) bool { return s.String() == before.String() })
	w.enter(":q!")
	w.prompt("#")
}

// vi waits for vi with a first line and its status in the last one.
func vi(w *tmux, first string) screen {
	w.t.Helper()
	return w.until("vi with "+first, func(s screen) bool {
		return s.row(0) == first && strings.HasPrefix(s.row(-1), "- /etc/profile ")
	})
}

// resize gives the window another size, and wants the guest to know it and vi to
// fill it.
func resize(w *tmux, columns, rows string) {
	w.t.Helper()
	w.do("resize-window", "-x", columns, "-y", rows)
	clearScreen(w)
	// The new size is on its way to the guest.
	w.enter("until [ \"$(stty size)\" = '" + rows + " " + columns + "' ]; do sleep 1; done; echo S-$((6*7))")
	w.until("the size", func(s screen) bool {
		return strings.Contains(s.String(), "\nS-42\n") && strings.HasSuffix(s.last(), "#")
	})
	w.enter("vi /etc/profile")
	if now := vi(w, "# Read by login shells."); strconv.Itoa(len(now.lines)) != rows {
		w.t.Errorf("the window has %d lines", len(now.lines))
	}
	w.enter(":q")
	w.prompt("#")
}

// leave leaves the shell, the guest's and the console.
func leave(w *tmux) {
	w.t.Helper()
	w.enter("exit")
	w.prompt("login:")
	w.press("C-]")
	w.until("the host's shell", func(s screen) bool {
		return s.last() == "host:" && strings.Contains(s.String(), "\n[left console-demo]\nhost:")
	})
}
