package suggest_test

import (
	"testing"

	"microvm-console/internal/suggest"
)

func TestNearest(t *testing.T) {
	flags := []string{"config", "name", "accel", "machine", "no-relay", "dry-run", "memoryMiB", "memory-lock", "m"}
	tests := []struct{ name, word, want string }{
		{"swapped letters", "conifg", "config"},
		{"a missing letter", "machne", "machine"},
		{"an extra letter", "acccel", "accel"},
		{"a wrong letter", "nane", "name"},
		{"two edits in six letters", "cofnih", "config"},
		{"another case", "NAME", "name"},
		{"a missing dash", "norelay", "no-relay"},
		{"a unit of another kind", "memoryMB", "memoryMiB"},
		{"a beginning: the shortest of two", "memory", "memoryMiB"},
		{"a beginning of two letters", "dr", "dry-run"},
		{"a beginning with more", "named", "name"},
		{"more than a beginning", "configuration", "config"},
		{"the word itself", "m", "m"},
		{"a beginning of one letter", "c", ""},
		{"no letter", "", ""},
		{"two edits in five letters", "nammu", ""},
		{"another word", "color", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := suggest.Nearest(test.word, flags); got != test.want {
				t.Errorf("Nearest(%q) = %q, want %q", test.word, got, test.want)
			}
		})
	}
	if got := suggest.Nearest("bort", []string{"boot", "port"}); got != "boot" {
		t.Errorf("of two equally near words, got %q, want the first", got)
	}
	if got := suggest.Nearest("serail", nil); got != "" {
		t.Errorf("of no words, got %q", got)
	}
}

func TestHint(t *testing.T) {
	if got, want := suggest.Hint("conifg", "--", []string{"config"}), " (did you mean --config?)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := suggest.Hint("color", "--", []string{"config"}); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}
