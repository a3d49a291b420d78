package guest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestPaste checks that the guest's shells read exactly what a client without the writer's
// seat pastes. The relay answers the terminal queries of a prompt, but not in the middle of
// pasted text.
func TestPaste(t *testing.T) {
	t.Parallel()
	dir := harness.OwnFolders(t)
	vm := harness.Start(t, harness.DemoProgram(t, "microvm-run"), "--auto-ports")
	vm.Expect(`console  hvc0   tcp localhost:\d+`, 1)
	const commands, rounds = 40, 5
	for _, console := range harness.Consoles(t, dir) {
		terminal := harness.Shell(t, console.Relay.Socket)
		for round := range rounds {
			var paste strings.Builder
			var want []string
			for n := range commands {
				fmt.Fprintf(&paste, "echo \"P<$((%d*100+%d))>\"\nread x\ntext %d\necho \"P<$x>\"\n", round+1, n, n)
				want = append(want, fmt.Sprintf("P<%d>", (round+1)*100+n), fmt.Sprintf("P<text %d>", n))
			}
			before := terminal.Printed()
			terminal.Send(paste.String() + "echo end-$((1000+" + fmt.Sprint(round) + "))\n")
			terminal.Expect(fmt.Sprintf(`end-%d\r?\n.*# `, 1000+round), 1)
			text := terminal.Printed()
			text = text[len(before):]
			if got := result.FindAllString(text, -1); !slices.Equal(got, want) || strings.Contains(text, "^[") {
				t.Errorf("%s, round %d: got %q of\n%q", console.Device, round, got, text)
			}
		}
	}
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	if code := vm.Status(); code != 0 {
		t.Errorf("microvm-run has status %d", code)
	}
}

// result matches the output of a pasted command, and not its echo, which contains a dollar.
var result = regexp.MustCompile(`P<[^$<>]*>`)
