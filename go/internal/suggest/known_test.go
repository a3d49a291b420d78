package suggest_test

import (
	"testing"

	"microvm-console/internal/suggest"
)

func TestHintOrKnown(t *testing.T) {
	known := []string{"serial", "console"}
	for word, want := range map[string]string{
		"serail": " (did you mean serial?)",
		"tty":    " (known: serial, console)",
	} {
		if got := suggest.HintOrKnown(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
