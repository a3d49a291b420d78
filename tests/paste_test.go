package tests

import (
	"fmt"
	"strings"
	"testing"
)

// What a client without the seat pastes at once is what the guest's shells read, and
// nothing else: the relay answers what a prompt asks, but not in the midst of what was
// typed.
func TestPaste(t *testing.T) {
	dir := private(t)
	vm := start(t, program(t, "microvm-run"), "--auto-ports")
	vm.expect(`console  hvc0   tcp localhost:\d+`, 1)
	const commands, rounds = 40, 5
	for _, console := range consoles(t, dir) {
		terminal := shell(t, console.Relay.Socket)
		for round := range rounds {
			var paste, want strings.Builder
			for n := range commands {
				fmt.Fprintf(&paste, "echo P-$((%d*100+%d))\nread x\ntext %d\necho R-$x\n", round+1, n, n)
				fmt.Fprintf(&want, "P-%d\nR-text %d\n", (round+1)*100+n, n)
			}
			before, _ := terminal.look()
			terminal.send(paste.String() + "echo end-$((1000+" + fmt.Sprint(round) + "))\n")
			terminal.expect(fmt.Sprintf(`end-%d\r?\n.*# `, 1000+round), 1)
			text, _ := terminal.look()
			text = strings.ReplaceAll(text[len(before):], "\r", "")
			if got := results(text); got != want.String() || strings.Contains(text, "^[") {
				t.Errorf("%s, round %d: got\n%s\nof\n%q", console.Device, round, got, text)
			}
		}
	}
	must(t, root, program(t, "microvm-shutdown"))
	if code := vm.status(); code != 0 {
		t.Errorf("microvm-run has status %d", code)
	}
}

// results are the lines that the pasted commands print: their echoes begin otherwise.
func results(text string) string {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "P-") || strings.HasPrefix(line, "R-") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}
