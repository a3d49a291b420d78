package color

import (
	"bytes"
	"os"
	"testing"

	"github.com/creack/pty"
)

func TestPalette(t *testing.T) {
	if got := All().Red("x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("red is %q", got)
	}
	if got := All().Red(""); got != "" {
		t.Errorf("nothing in red is %q", got)
	}
	if got := (Palette{}).Red("x"); got != "x" {
		t.Errorf("without colors, red is %q", got)
	}
}

func TestOf(t *testing.T) {
	master, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer terminal.Close()
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	if !Of(terminal).On() {
		t.Error("a terminal has no colors")
	}
	if Of(file).On() || Of(new(bytes.Buffer)).On() {
		t.Error("a file has colors")
	}
	for name, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			if Of(terminal).On() {
				t.Error("the terminal has colors")
			}
		})
	}
}
