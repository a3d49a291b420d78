package attach

import (
	"bytes"
	"testing"
)

// A Writer filters the output for a terminal, and restores the terminal at the end. It
// changes nothing if the output is not a terminal, or raw.
func TestWriter(t *testing.T) {
	const evil = "a\x1b]52;c;ZXZpbA==\a\x1b[6n\u009b2Jb"
	for _, test := range []struct {
		name, text string
		raw        bool
		want       string
	}{
		{"plain text", "text\n", false, "text\r\n"},
		{"the clipboard and a question", evil, false, "a2Jb"},
		{"a color", "\x1b[31mred", false, "\x1b[31mred" + always},
		{"a mode", "\x1b[?25l", false, "\x1b[?25l" + always + "\x1b[?25h"},
		{"raw", evil, true, evil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScreen(t, false)
			w := NewWriter(s.tty, test.raw)
			if n, err := w.Write([]byte(test.text)); n != len(test.text) || err != nil {
				t.Fatal(n, err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := s.tty.WriteString("|"); err != nil {
				t.Fatal(err)
			}
			s.await("|")
			s.mu.Lock()
			defer s.mu.Unlock()
			if got := string(s.text); got != test.want+"|" {
				t.Errorf("got %q, want %q", got, test.want+"|")
			}
		})
	}
	var out bytes.Buffer
	w := NewWriter(&out, false)
	w.Write([]byte(evil))
	if w.Close(); out.String() != evil {
		t.Errorf("not a terminal: got %q, want %q", out.String(), evil)
	}
}
