// Package plaintext escapes text from a guest, or from another untrusted source, so that it
// can be shown on a terminal, or written in XML, TAP or JSON.
//
// The result is valid UTF-8 and consists of printable characters and, for Lines, line ends.
// Everything else is escaped as in Go strings: ESC as \x1b, an invalid byte as \xff, a
// right-to-left override as \u202e.
package plaintext

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Line returns text as one line: line ends are escaped too.
func Line(text string) string { return escaped(text, false) }

// Lines returns text as lines that end with "\n", even if they ended with "\r\n". A tab
// becomes a space.
func Lines(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return escaped(strings.ReplaceAll(text, "\t", " "), true)
}

// JSON returns a JSON text with all unprintable characters in its strings escaped (RFC 8259,
// section 7), so that its value stays the same. text is the output of json.Marshal: compact
// and valid UTF-8. JSON may return text itself.
func JSON(text []byte) []byte {
	if !bytes.ContainsFunc(text, unprintable) {
		return text
	}
	var plain []byte
	for _, r := range string(text) {
		if !unprintable(r) {
			plain = utf8.AppendRune(plain, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			plain = fmt.Appendf(plain, `\u%04x`, unit)
		}
	}
	return plain
}

// unprintable reports whether a terminal may do anything other than show r.
func unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// escaped returns text with everything escaped that is not printable. lines keeps line ends.
func escaped(text string, lines bool) string {
	var plain strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError:
			plain.WriteString(quoted(text[:size]))
		case unicode.IsPrint(r), lines && r == '\n':
			plain.WriteRune(r)
		default:
			plain.WriteString(quoted(text[:size]))
		}
		text = text[size:]
	}
	return plain.String()
}

// quoted returns the escape of one character.
func quoted(text string) string {
	if text == string(utf8.RuneError) {
		return `\ufffd` // printable according to strconv
	}
	return strings.Trim(strconv.Quote(text), `"`)
}
