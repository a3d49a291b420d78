package plaintext_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/plaintext"
)

func TestLineAndLines(t *testing.T) {
	for _, test := range []struct{ name, text, line, lines string }{
		{"nothing", "", "", ""},
		{"words", `a "b" \c äß → 日本`, `a "b" \c äß → 日本`, `a "b" \c äß → 日本`},
		{"line ends", "a\r\nb\nc", `a\r\nb\nc`, "a\nb\nc"},
		{"a return and a tab", "a\rb\tc", `a\rb\tc`, `a\rb c`},
		{"a terminal's title", "\x1b]0;evil\a", `\x1b]0;evil\a`, `\x1b]0;evil\a`},
		{"a control character of one byte in Latin-1", "\u009b2J", `\u009b2J`, `\u009b2J`},
		{"invalid UTF-8", "a\xff\xc3", `a\xff\xc3`, `a\xff\xc3`},
		{"the replacement character itself", "\ufffd", `\ufffd`, `\ufffd`},
		{"direction overrides", "a\u202eb\u2066", `a\u202eb\u2066`, `a\u202eb\u2066`},
		{"other line separators", "a\u2028b\u0085c", `a\u2028b\u0085c`, `a\u2028b\u0085c`},
		{"characters that XML excludes", "a\x00\uffff\ufffe", `a\x00\uffff\ufffe`, `a\x00\uffff\ufffe`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := plaintext.Line(test.text); got != test.line {
				t.Errorf("Line(%q) = %q, want %q", test.text, got, test.line)
			}
			if got := plaintext.Lines(test.text); got != test.lines {
				t.Errorf("Lines(%q) = %q, want %q", test.text, got, test.lines)
			}
		})
	}
}

func FuzzLines(f *testing.F) {
	f.Add("a\x1b[2J\r\n\xff\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		got := plaintext.Lines(text)
		bad := func(r rune) bool { return r != '\n' && (!unicode.IsPrint(r) || r == utf8.RuneError) }
		if strings.ContainsFunc(got, bad) {
			t.Errorf("Lines(%q) = %q", text, got)
		}
		if plaintext.Lines(got) != got {
			t.Errorf("Lines changes its own result %q", got)
		}
		var escaped strings.Builder
		if err := xml.EscapeText(&escaped, []byte(got)); err != nil || strings.ContainsRune(escaped.String(), utf8.RuneError) {
			t.Errorf("%q is not valid in XML: %v", got, err)
		}
	})
}

func TestJSON(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing to do", `{"a":"äß →"}`, `{"a":"äß →"}`},
		{"control characters of one byte in Latin-1, and DEL", "[\"\u009b2J\x7f\"]", `["\u009b2J\u007f"]`},
		{"a direction override and a tag", "[\"a\u202eb\U000e0041\"]", `["a\u202eb\udb40\udc41"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := plaintext.JSON([]byte(test.text))
			if string(got) != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			var before, after any
			if err := errors.Join(json.Unmarshal([]byte(test.text), &before), json.Unmarshal(got, &after)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Error(diff)
			}
		})
	}
}
