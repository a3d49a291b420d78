package relay

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The answers do not depend on how the guest's output is split. Each has the form of a
// terminal's answer, and none is a query, which would be answered again if the guest
// echoes it.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("boot\r\n\x1b[18t\x1b[c\x1b[5n"), uint8(1))
	f.Add([]byte("\x1b[6n\x1b[32766;32766H\x1b[6n# \x1b[1;1R\x1b[0c"), uint8(7))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		text = text[:min(len(text), askedBytes)] // beyond that, the result depends on the pieces
		var whole, parts [][]byte
		whole, _ = answersTo(text)
		for answered, end := 0, 0; end < len(text); {
			end = min(len(text), end+int(size)+1)
			answers, after := answersTo(text[answered:end])
			parts, answered = append(parts, answers...), answered+after
		}
		if !slices.EqualFunc(whole, parts, bytes.Equal) {
			t.Errorf("%q: at once %q, in pieces %q", text, whole, parts)
		}
		for _, one := range whole {
			if query.Match(one) || len(answer.ReplaceAll(one, nil)) > 0 {
				t.Errorf("%q got the answer %q", text, one)
			}
		}
	})
}

// A position is never outside the stream, and one relative to the end is never before the
// boot.
func FuzzPosition(f *testing.F) {
	for _, from := range []string{"", "start", "now", "-5", "-9223372036854775808", "12", "+12", "9223372036854775807", "-0"} {
		f.Add(from, int64(10), int64(20))
	}
	f.Fuzz(func(t *testing.T, from string, start, end int64) {
		start, end = min(max(0, start), max(0, end)), max(0, start, end)
		got, err := position(from, start, start/2, end)
		number, wrong := strconv.ParseInt(from, 10, 64)
		if words := from == "" || from == "start" || from == "now"; err == nil && !words && wrong != nil {
			t.Errorf("%q accepted as %d", from, got)
		} else if err != nil && (words || wrong == nil && number <= end) {
			t.Errorf("%q from %d to %d: %v", from, start, end, err)
		}
		if err == nil && (got < 0 || got > end || strings.HasPrefix(from, "-") && got < start) {
			t.Errorf("%q is %d, from %d to %d", from, got, start, end)
		}
	})
}
