// Package plaintext makes what a guest has printed fit to be shown: on a
// terminal, in XML, in TAP, in JSON.
//
// Its promise: what it returns is valid UTF-8 of printable characters alone, a
// line's end excepted where it is said. Everything else is spelled out as in Go:
// an escape as \x1b, a byte that is no UTF-8 as \xff, a right-to-left override as
// \u202e.
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

// Line is text in one line: a line's end in it is spelled out too.
func Line(text string) string { return spell(text, false) }

// Lines is text of several lines. A line ends with "\n", also where the guest ends
// it with "\r\n"; a tab becomes a space.
func Lines(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return spell(strings.ReplaceAll(text, "\t", " "), true)
}

// JSON is a JSON text whose strings have each unprintable character as an escape
// (RFC 8259, section 7): their values stay what they are. text is what encoding/json
// makes: compact, and valid UTF-8.
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

// unprintable reports whether a terminal may do something else with r than show it.
func unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// spell spells out all that is not printable.
func spell(text string, lines bool) string {
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

// quoted spells out one character.
func quoted(text string) string {
	if text == string(utf8.RuneError) {
		return `\ufffd` // which strconv takes for printable
	}
	return strings.Trim(strconv.Quote(text), `"`)
}
