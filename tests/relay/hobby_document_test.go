package relay

import (
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// hobbyScreens has the commands of docs/hobby-os.md whose output is checked, as watched has
// those of docs/relays.md.
var hobbyScreens = map[string]struct {
	shows  string
	leave  []key
	status string
}{
	"connect-serial --channel serial": {shows: `^line 999$`, leave: ctrlBracket},
	"connect-serial --channel monitor": {shows: `^\(qemu\)`, leave: []key{
		{name: "info status"}, {name: "Enter", shows: `^VM status: running`}, {name: "C-]"},
	}},
	`connect-serial --channel serial --send 'x\c' --expect '^key x\n'`: {shows: `^key x$`},
	"qemu-relay status":                          {shows: `^debugcon +-debugcon +running`},
	"console-log --channel debugcon | tail -n 3": {shows: `^key x$`},
	`connect-serial --channel monitor --send 'info registers' --expect '^EIP=.*\n'`:                       {shows: `^EIP=`},
	"console-log --channel serial --list":                                                                 {shows: `^0 `},
	"console-log --channel serial --timestamps | tail -n 3":                                               {shows: `^\S+.* key x$`},
	`wait $! || echo "QEMU's status is $?"`:                                                               {shows: `^QEMU's status is 3$`},
	"printf e | connect-serial --channel serial --timeout 5s >/dev/null":                                  {},
	`gdb -batch -ex 'target remote :1234' -ex 'hbreak *0x7c00' -ex continue -ex 'x/2i $pc' -ex detach`:    {shows: `^=> 0x7c00:`},
	`gdb -batch -ex 'target remote gdb.sock' -ex 'hbreak *0x7c00' -ex continue -ex 'x/2i $pc' -ex detach`: {shows: `^=> 0x7c00:`},
}

// TestHobbyDocument types every command of docs/hobby-os.md into a terminal, in its order, as
// an ordinary user.
func TestHobbyDocument(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("gdb"); err != nil {
		harness.Skip(t, "gdb", "install Debian's gdb")
	}
	if !harness.InSystemdAsUser(t) {
		return
	}
	maps.Copy(watched, hobbyScreens) // no other test runs in this process
	terminal := harness.OpenTmux(t, t.TempDir(), "120", "30")
	terminal.Prompt("host:")
	terminal.Enter(`PS1='[\#:$?] '`) // the number of the next command, and the last status
	number := 2
	terminal.Prompt("[2:0]")
	for _, block := range harness.BashBlocks(t, "docs/hobby-os.md") {
		for line := range strings.Lines(block) {
			number++
			line = strings.TrimSpace(line)
			t.Logf("%s\n%s", line, typeLine(terminal, line, number))
		}
	}
	text := harness.ReadFile(t, filepath.Join(harness.Root, "docs/hobby-os.md"))
	for command := range hobbyScreens {
		if !strings.Contains(text, "\n"+command+"\n") {
			t.Errorf("docs/hobby-os.md does not show %s", command)
		}
	}
}
