package attach

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// forbidden matches what must not reach a terminal: control strings, C1 controls, most C0
// controls, and sequences with other final or intermediate characters than the allowed
// ones.
var forbidden = regexp.MustCompile("\x1b[^\\[()78DEM=>]" + // other escapes
	"|\x1b\\[[^@-~]*[ijoqtvwxyz{|}~]" + // other finals
	"|\x1b\\[[^@-~]*[ -/]" + // intermediate characters
	"|\x1b\\[[^@-~]*[nc]" + // questions
	"|\x1b\\[\\?[^@-~]*[^0-9;hl]" +
	"|[\x00-\x06\x10-\x1a\x1c-\x1f\x7f\u0080-\u009f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]" +
	"|\\p{Mn}{31}")

// live matches the questions that may pass if they are live.
var live = regexp.MustCompile("\x1b\\[(?:5n|6n|>?0?c|18t)")

func FuzzFilter(f *testing.F) {
	for _, row := range rows {
		f.Add([]byte(row.in), uint(len(row.in)/2))
	}
	f.Fuzz(func(t *testing.T, in []byte, at uint) {
		past, now := run(false, string(in)), run(true, string(in))
		if bad := forbidden.FindString(past); bad != "" {
			t.Errorf("history: %q passed of %q", bad, in)
		}
		if bad := forbidden.FindString(live.ReplaceAllString(now, "")); bad != "" {
			t.Errorf("live: %q passed of %q", bad, in)
		}
		if !utf8.ValidString(now) {
			t.Errorf("%q became %q, which is not UTF-8", in, now)
		}
		if again := run(true, now); again != now {
			t.Errorf("%q became %q and then %q", in, now, again)
		}
		cut := int(at % uint(len(in)+1))
		if split := run(true, string(in[:cut]), string(in[cut:])); split != now {
			t.Errorf("%q became %q, but %q if split at %d", in, now, split, cut)
		}
	})
}

func FuzzFilterText(f *testing.F) {
	f.Add("login: root\r\n")
	f.Add("Grüße, 世界 🎉\n")
	f.Fuzz(func(t *testing.T, in string) {
		text := strings.Map(func(r rune) rune {
			if r < ' ' && r != '\n' && r != '\r' && r != '\t' || r >= del && r < 0xa0 || invisible(r) || combining(r) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(in, "?"))
		if got := run(false, text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	for _, row := range []struct{ name, line string }{
		{"text", "[    0.123456] Linux version 6.1.0 (root@build) #1 SMP\r\n"},
		{"colors", "\x1b[0;32m  OK  \x1b[0m Started \x1b[1mGetty\x1b[0m on ttyS0.\r\n"},
	} {
		b.Run(row.name, func(b *testing.B) {
			src := []byte(strings.Repeat(row.line, 500))
			dst := make([]byte, 0, len(src))
			var filter Filter
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				dst = filter.Append(dst[:0], src, false)
			}
		})
	}
}
