package relay

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// key is a key that the user presses. If shows is not empty, the next key is pressed when the
// screen matches it.
type key struct{ name, shows string }

// ctrlC, ctrlBracket and leaveMinicom end a program. minicom drops keys that arrive before its
// dialog.
var (
	ctrlC        = []key{{name: "C-c"}}
	ctrlBracket  = []key{{name: "C-]"}}
	leaveMinicom = []key{{name: "C-a"}, {name: "x", shows: `Leave Minicom`}, {name: "Enter"}}
)

// watched has the commands of docs/relays.md whose output is checked: a pattern for the screen,
// and the keys that end a command which does not end by itself.
var watched = map[string]struct {
	shows  string
	leave  []key
	status string
}{
	"systemctl --user status qemu-serial-relay.service":                                   {shows: `Active: active \(running\)`},
	"ls -l /tmp/qemu-*.in /tmp/qemu-*.out":                                                {shows: `prw------- 1 developer developer 0 .* /tmp/qemu-serial.out$`},
	"./result/bin/connect-serial":                                                         {shows: `^line 999$`, leave: ctrlBracket},
	"minicom -D unix#/tmp/qemu-serial.sock":                                               {shows: `^line 999$`, leave: leaveMinicom},
	"minicom -D /tmp/qemu-serial.pty":                                                     {shows: `^line 999$`, leave: leaveMinicom},
	"cat /tmp/qemu-serial.out":                                                            {shows: `^line 999$`, leave: ctrlC, status: "130"},
	"nc -U /tmp/qemu-serial.sock":                                                         {shows: `^line 999$`, leave: ctrlC, status: "130"},
	"minicom -D unix#/tmp/qemu-monitor.sock":                                              {shows: `^\(qemu\)$`, leave: leaveMinicom},
	"tail -n +1 -f /tmp/qemu-debugcon.out":                                                {shows: `^line 999$`, leave: ctrlC, status: "130"},
	"tail -F /tmp/qemu-debugcon.log":                                                      {shows: `^line 999$`, leave: ctrlC, status: "130"},
	"socat -u /tmp/qemu-serial.out - | tee -a serial.log":                                 {shows: `^key x$`, leave: ctrlC, status: "130"},
	"./result/bin/qemu-relay log --boot -1 --timestamps serial | tail -n 3":               {shows: `^\S+.* key x$`},
	"./scripts/run-qemu.sh -drive format=raw,if=floppy,file=boot.img &":                   {shows: `^run-qemu: debugcon: boot \d+ on `},
	"curl -sS --unix-socket $XDG_RUNTIME_DIR/qemu-relay/serial/ctl http://channel/status": {shows: `^\{"name":"serial","state":"relaying",`},
}

// TestRelayDocument types every command of docs/relays.md into a terminal, in its order, as an
// ordinary user with a real systemd.
func TestRelayDocument(t *testing.T) {
	t.Parallel()
	if !harness.InSystemdAsUser(t) {
		return
	}
	harness.Setenv(t, "PATH", shimNixBuilt(t)+":"+harness.Getenv(t, "PATH"))
	harness.Setenv(t, "SYSTEMD_PAGER", "cat")
	terminal := harness.OpenTmux(t, t.TempDir(), "100", "30")
	terminal.Prompt("host:")
	terminal.Enter(`PS1='[\#:$?] '`) // the number of the next command, and the last status
	number := 2
	terminal.Prompt("[2:0]")
	for _, block := range harness.BashBlocks(t, "docs/relays.md") {
		for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", " ")) {
			number++
			line = strings.TrimSpace(line)
			t.Logf("%s\n%s", line, typeLine(terminal, line, number))
		}
	}
}

// typeLine types a command and returns the screen when the command has ended, or before its
// keys are pressed. next is the number in the next prompt.
func typeLine(w *harness.Tmux, line string, next int) string {
	w.T.Helper()
	w.Do("send-keys", "-R", ";", "clear-history")
	w.Enter(line)
	want := watched[line]
	look := ""
	if want.shows != "" {
		look = w.Shows(want.shows)
	}
	for _, key := range want.leave {
		w.Press(key.name)
		if key.shows != "" {
			w.Shows(key.shows)
		}
	}
	prompt := fmt.Sprintf(`\[%d:(\d+)\]`, next)
	end := w.Shows(prompt)
	if got := regexp.MustCompile(prompt).FindStringSubmatch(end)[1]; got != cmp.Or(want.status, "0") {
		w.T.Fatalf("%s: status %s, want %s:\n%s", line, got, cmp.Or(want.status, "0"), end)
	}
	if want.leave == nil {
		look = end
	}
	return strings.TrimRight(look, "\n")
}

// shimNixBuilt makes a nix that builds nothing, because everything is built already.
func shimNixBuilt(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\n[ \"$*\" = 'build .#tools' ] && [ -e result ]\n"
	if err := os.WriteFile(filepath.Join(dir, "nix"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}
