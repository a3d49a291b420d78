package consoletest

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"testing"
)

// A search finds a match once the output has it, in whatever pieces that comes, and does not search
// finished lines again.
func TestSearch(t *testing.T) {
	const kernel = "[    2.192861] tsc: Refined\r\n"
	for _, test := range []struct {
		name, pattern string
		pieces        []string
		searched      int // the bytes of the last piece and those before it that are searched
	}{
		{"lines", "c$", []string{"a\n", "b\n", "c"}, 2},
		{"a line in pieces", "(?m)^bcd", []string{"a\nb", "c", "d"}, 4},
		{"the first line", "abc", []string{"a", "b", "c"}, 3},
		{"lines of the kernel", "c$", []string{kernel, kernel, "c"}, 2},
		{"a line of the kernel in pieces", "c$", []string{"a\n" + kernel + kernel, kernel[:20], kernel[20:] + "c"}, 1 + len(kernel) + 1},
		{"a line that the kernel breaks into", "bcd", []string{"a\nb" + kernel, kernel + "c", "d"}, 2 + 2*len(kernel) + 2},
		{"several lines", `a\s+b`, []string{"-\na\n", "\n", "b"}, 6},
	} {
		text, searched := "", 0
		s := newSearch(regexp.MustCompile(test.pattern), 0, func(pattern *regexp.Regexp, part []byte) bool {
			searched = len(part)
			return answers(pattern, part)
		})
		for i, piece := range test.pieces {
			text += piece
			found := s.found([]byte(text), len(text))
			if last := i == len(test.pieces)-1; found != last {
				t.Errorf("%s: %t after %q", test.name, found, text)
			}
		}
		if searched != test.searched {
			t.Errorf("%s: the last %d bytes were searched, want %d", test.name, searched, test.searched)
		}
	}
}

// A search of output in pieces finds a match when a search of the whole text does.
func FuzzSearch(f *testing.F) {
	f.Add("SeaBIOS\r\n[    2.192861] tsc: on\r\ndemo lo[    2.192861] x\r\n[    2.192861] y\r\ngin: ", uint8(3))
	f.Add("a\r\r\n\rdemo login: [    2.192861] z\n# ", uint8(0))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		text = text[:min(len(text), 1000)] // the whole text is searched for each piece
		for _, pattern := range []*regexp.Regexp{loginPrompt, shellPrompt, regexp.MustCompile(`(?m)^demo.*: $`), regexp.MustCompile(`\bx\b`), regexp.MustCompile(`a\s`)} {
			for name, matches := range map[string]func(*regexp.Regexp, []byte) bool{"answers": answers, "prints": prints} {
				s := newSearch(pattern, 0, matches)
				for end, found := 0, false; end < len(text) && !found; {
					end = min(len(text), end+1+int(size))
					want := matches(pattern, []byte(text[:end]))
					if found = s.found([]byte(text[:end]), end); found != want {
						t.Fatalf("%s %q after %q: %t, want %t", name, pattern, text[:end], found, want)
					}
				}
			}
		}
	})
}

// Output that comes in small pieces is searched for a text that is at its end.
func BenchmarkSearch(b *testing.B) {
	boot := bytes.Repeat([]byte("[    2.192861] tsc: Refined TSC clocksource calibration\r\n[  OK  ] Started a service.\r\n"), 12_000)
	for name, search := range map[string]func(ctx context.Context, console *Console) error{
		"expect": func(ctx context.Context, console *Console) error {
			_, err := console.Expect(ctx, "login prompt", loginPrompt)
			return err
		},
		"find": func(ctx context.Context, console *Console) error {
			return console.Find(ctx, "login prompt", 0, regexp.MustCompile(`(?m)^demo login: $`))
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(boot)))
			for b.Loop() {
				console, guest := connected(b)
				found := make(chan error, 1)
				go func() { found <- search(b.Context(), console) }()
				for rest := boot; len(rest) > 0; {
					n := min(16, len(rest))
					guest.Write(rest[:n])
					rest = rest[n:]
				}
				io.WriteString(guest, "demo login: ")
				if err := <-found; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
