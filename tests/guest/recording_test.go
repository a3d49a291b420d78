package guest

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// scenes are commands of the guest's shell. They print what all terminals show alike: no bytes that
// are not UTF-8, and no characters without width.
var scenes = []string{
	`dmesg -n 1`, // the kernel would print within a character
	`printf '\033[1;31mred\033[0m \033[7mreverse\033[0m \033[38;5;208morange \033[48;2;0;0;90mtrue\033[0m\n'`,
	`printf '\033[2J\033[12;40Hmiddle\033[1;1Htop\033[24;70Hbottom\033[5A\033[20Dup\n'`,
	`seq 1 30; printf '\033[5;1H\033[3L\033[9;1H\033[2M\033[12;1H\033[4@\033[13;1H\033[1P\033[14;1H\033[1X\033[24;1H'`,
	`seq 1 30; printf '\0337\033[5;10r\033[10;1H\n\n\nscrolled\033[5;1H\033M\033Mback\033[r\0338'`,
	`seq 1 30; printf '\033[3;3H\033[1J\033[6;2H\033[K\033[20;5H\033[J'`,
	`seq -s ' ' 1 300; printf '%080d' 1; printf '%081d\n' 2; printf '\033[?7l%090d\033[?7h\n' 3`,
	`i=0; while [ $i -lt 100 ]; do i=$((i+1)); printf '\rprogress %3d%%' $i; done; echo`,
	`printf 'a\tb\tc\b\bd\n\033[3gx\ty\033[9G\033H\r\tz\n'`,
	`printf '\342'; sleep 0.1; printf '\202'; sleep 0.1; printf '\254 \360\237'; sleep 0.1; printf '\230\200\n'`,
	`printf '\346\274\242\345\255\227 %078d\346\274\242\n' 7`,
	`printf '\033[?1049h\033[2J\033[Halternate\n'`,
	`printf '\033[?1049l'`,
	`seq 1 200; dmesg | tail -n 40`,
	`printf '\033c'`,
}

// keys are keys that are typed one after the other, and what is printed once more then.
var keys = []struct{ typed, printed string }{
	{"vi /etc/profile\n", `- /etc/profile `}, {"ihello\033", `- /etc/profile `}, {":q!\n", `:~# `},
	{"dmesg | less\n", `\x1b\[7m`}, {"G", `\x1b\[7m`}, {"q", `:~# `},
	{"top -d 1\n", ` COMMAND`}, {"", ` COMMAND`}, {"q", `:~# `},
}

// moment is a moment of a boot: the offset of the end of the output, after something was typed.
type moment struct {
	end   int64
	typed string
}

// TestRecording checks that asciinema's player shows what tmux shows for the same bytes of a real
// guest, at the end of a boot and at many moments before.
func TestRecording(t *testing.T) {
	t.Parallel()
	harness.OnlyAll(t)
	dir := harness.OwnFolders(t)
	player := harness.OpenPlayer(t)
	vm := harness.StartDemo(t, "--auto-ports")
	moments := map[string][]moment{}
	for i, console := range harness.Consoles(t, dir) {
		terminal := harness.Connect(t, vm.Port(console.Name))
		play(terminal, func(typed string) {
			moments[console.Name] = append(moments[console.Name], moment{harness.Consoles(t, dir)[i].Relay.End, typed})
		})
	}
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	if status := vm.Status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
	for console, all := range moments {
		printed := harness.Must(t, harness.Root, harness.DemoProgram(t, "console-log"), console)
		recording := harness.Must(t, harness.Root, harness.DemoProgram(t, "console-log"), "--format", "asciicast", console)
		for _, m := range append(all, moment{int64(len(printed)), "poweroff"}) {
			part := upTo(t, recording, printed, m.end)
			file := filepath.Join(t.TempDir(), "printed")
			harness.WriteFile(t, file, printed[:part.bytes])
			got, want := player.LastScreen(part.recording), harness.ScreenOf(t, file, "80", "24")
			if !slices.Equal(got, want) {
				t.Errorf("%s, after %q: the player shows\n%s\n--- tmux shows\n%s", console, m.typed, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

// play logs in, plays the scenes and types the keys. It calls after with what was typed.
func play(terminal *harness.Session, after func(typed string)) {
	harness.Login(terminal)
	after("root")
	for n, scene := range scenes {
		terminal.Send(fmt.Sprintf("%s; echo D-$((%d+1000))\n", scene, n))
		terminal.Expect(fmt.Sprintf(`D-%d\r\n.*# `, n+1000), 1)
		after(scene)
	}
	for _, key := range keys {
		before := len(regexp.MustCompile(key.printed).FindAllString(terminal.Printed(), -1))
		terminal.Send(key.typed)
		terminal.Expect(key.printed, before+1)
		after(key.typed)
	}
}

// part is the begin of a recording, and of how many bytes it is.
type part struct {
	recording string
	bytes     int
}

// upTo returns the events of a recording up to that of the last byte before end. The recording must have
// exactly what was printed.
func upTo(t *testing.T, recording, printed string, end int64) part {
	t.Helper()
	var p part
	for line := range strings.Lines(recording) {
		if p.recording += line; line[0] == '{' {
			continue
		}
		var event []any
		if err := json.Unmarshal([]byte(line), &event); err != nil || len(event) != 3 {
			t.Fatalf("%s: %v", line, err)
		}
		text := event[2].(string)
		if event[1] != "o" || !strings.HasPrefix(printed[p.bytes:], text) {
			t.Fatalf("the recording has %q at byte %d, but the guest has printed %.99q", text, p.bytes, printed[p.bytes:])
		}
		if p.bytes += len(text); int64(p.bytes) >= end {
			return p
		}
	}
	t.Fatalf("the recording ends after %d bytes of %d", p.bytes, end)
	return p
}
