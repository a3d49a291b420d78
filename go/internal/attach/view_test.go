package attach

import (
	"testing"

	"microvm-console/internal/follow"
)

// At the end of its output a View begins a new line on a terminal, unless one has begun.
func TestViewBeginsALine(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", always + "$ "},
		{"login: ", "login: " + always + "\r\r\n$ "},
		{"text\n", "text\r\n" + always + "$ "},
	} {
		s := newScreen(t, false)
		v := NewView(Options{}, s.tty, t.Output())
		if err := v.Handle(follow.Event{Kind: follow.Data, Data: []byte(test.text)}); err != nil {
			t.Fatal(err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.tty.WriteString("$ "); err != nil {
			t.Fatal(err)
		}
		s.await("$ ")
		if got := s.String(); got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
}
