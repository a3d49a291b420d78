package guest

import (
	"strconv"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestTerminal uses both consoles in a real terminal: it logs in, runs full-screen programs,
// detaches in the middle of one, attaches again, and resizes the window.
func TestTerminal(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	vm := harness.Start(t, harness.DemoProgram(t, "microvm-run"), "--auto-ports")
	vm.Expect(`console  hvc0   tcp localhost:\d+`, 1)
	for _, name := range []string{"connect-serial", "connect-console"} {
		t.Run(name, func(t *testing.T) {
			w := harness.OpenTmux(t, t.TempDir(), "80", "24")
			w.Prompt("host:")
			attach := harness.DemoProgram(t, name)
			w.Enter(attach)
			loginAt(w)
			fullScreen(w)
			comeBack(w, attach)
			resize(w, "100", "30")
			resize(w, "80", "24")
			leave(w)
		})
	}
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	if code := vm.Status(); code != 0 {
		t.Errorf("microvm-run has status %d", code)
	}
}

// loginAt logs in and stops the kernel's messages, which could follow any prompt.
func loginAt(w *harness.Tmux) {
	w.T.Helper()
	w.Until("login:", func(s harness.Screen) bool { return strings.Contains(s.String(), " login:") })
	w.Enter("root")
	w.Until("the guest's shell", func(s harness.Screen) bool { return strings.Contains(s.String(), ":~#") })
	w.Enter("dmesg -n 1")
	clearScreen(w)
}

// clearScreen clears the window.
func clearScreen(w *harness.Tmux) {
	w.T.Helper()
	w.Enter("clear")
	w.Until("a clear screen", func(s harness.Screen) bool { return strings.HasSuffix(s.Row(0), ":~#") && s.Last() == s.Row(0) })
}

// fullScreen checks that top fills the window, updates it, and restores it at its end.
func fullScreen(w *harness.Tmux) {
	w.T.Helper()
	w.Enter("top -d 1")
	first := w.Until("top", func(s harness.Screen) bool {
		return strings.HasPrefix(s.Row(0), "Mem: ") && strings.Contains(s.Row(3), " COMMAND") && s.Row(-1) != ""
	})
	w.Until("top once more", func(s harness.Screen) bool {
		return strings.HasPrefix(s.Row(0), "Mem: ") && s.Row(-1) != "" && s.String() != first.String()
	})
	w.Press("q")
	w.Prompt("#")
}

// comeBack detaches while vi runs, and checks that the host's shell is as before, and that vi
// is on the screen when it attaches again.
func comeBack(w *harness.Tmux, attach string) {
	w.T.Helper()
	w.Enter("vi /etc/profile")
	vi(w, "# Read by login shells.")
	w.Press("i")
	w.Enter("hello")
	w.Press("Escape")
	before := vi(w, "hello")
	if !strings.HasSuffix(before.Cursor, "alternate 1") {
		w.T.Errorf("vi is not on the alternate screen:\n%v", before)
	}
	w.Press("C-]")
	w.Until("the host's shell", func(s harness.Screen) bool {
		return s.Last() == "host:" && strings.Contains(s.String(), "\n[left console-demo]\nhost:") && strings.HasSuffix(s.Cursor, "alternate 0")
	})
	w.Enter("stty -a | grep -ow -e '-*icanon' -e '-*echo'; echo H-$((6*7))")
	w.Until("a terminal that is as it was", func(s harness.Screen) bool {
		return strings.Contains(s.String(), "echo H-$((6*7))\nicanon\necho\nH-42\nhost:")
	})
	w.Enter(attach)
	w.Until("what was there before:\n"+before.String()+"\nbut", func(s harness.Screen) bool { return s.String() == before.String() })
	w.Enter(":q!")
	w.Prompt("#")
}

// vi waits until the screen shows vi: a first line, and the status in the last one.
func vi(w *harness.Tmux, first string) harness.Screen {
	w.T.Helper()
	return w.Until("vi with "+first, func(s harness.Screen) bool {
		return s.Row(0) == first && strings.HasPrefix(s.Row(-1), "- /etc/profile ")
	})
}

// resize changes the size of the window, and checks that the guest has the size and that vi
// fills the window.
func resize(w *harness.Tmux, columns, rows string) {
	w.T.Helper()
	w.Do("resize-window", "-x", columns, "-y", rows)
	clearScreen(w)
	// The guest gets the size a moment later.
	w.Enter("until [ \"$(stty size)\" = '" + rows + " " + columns + "' ]; do sleep 1; done; echo S-$((6*7))")
	w.Until("the size", func(s harness.Screen) bool {
		return strings.Contains(s.String(), "\nS-42\n") && strings.HasSuffix(s.Last(), "#")
	})
	w.Enter("vi /etc/profile")
	if now := vi(w, "# Read by login shells."); strconv.Itoa(len(now.Lines)) != rows {
		w.T.Errorf("the window has %d lines", len(now.Lines))
	}
	w.Enter(":q")
	w.Prompt("#")
}

// leave logs out, and detaches from the console.
func leave(w *harness.Tmux) {
	w.T.Helper()
	w.Enter("exit")
	w.Prompt("login:")
	w.Press("C-]")
	w.Until("the host's shell", func(s harness.Screen) bool {
		return s.Last() == "host:" && strings.Contains(s.String(), "\n[left console-demo]\nhost:")
	})
}
