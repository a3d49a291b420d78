package attach

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"microvm-console/internal/follow"
	"microvm-console/internal/journal"
)

func TestParseKey(t *testing.T) {
	for text, want := range map[string]Key{
		"Ctrl-]": 0x1d, "^]": 0x1d, "ctrl-a": 1, "CTRL-A": 1, "^z": 0x1a, "^\\": 0x1c, "^_": 0x1f, "^^": 0x1e,
	} {
		if got, err := ParseKey(text); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a", "~", "Ctrl-", "Ctrl-[", "^[", "^M", "^m", "^@", "^ ", "^?", "^é", "Ctrl-Del", "\x1d"} {
		if got, err := ParseKey(text); err == nil {
			t.Errorf("%q: no error but %v", text, got)
		}
	}
	for key, want := range map[Key]string{DefaultEscape: "Ctrl-]", 1: "Ctrl-A", 0x1c: "Ctrl-\\"} {
		if got := key.String(); got != want {
			t.Errorf("%d: %q, want %q", key, got, want)
		}
		if back, err := ParseKey(want); back != key || err != nil {
			t.Errorf("%q: %v, %v", want, back, err)
		}
	}
}

func TestStamps(t *testing.T) {
	clock := time.Date(2026, 11, 22, 7, 8, 9, 123e6, time.Local)
	var text strings.Builder
	o := newOutput(&text, Options{Timestamps: true}, true, false)
	o.stamps.now = func() time.Time { return clock }
	o.stamps.past = journal.Times{{Offset: 9, Time: clock.Add(-time.Hour)}}
	offset := int64(0)
	for _, part := range []struct {
		text string
		live bool
	}{
		{"unknown\r\n", false}, {"past\x1b]0;title\a\nbegun ", false}, {"then\r\nli", true}, {"ve\n\nlast", true},
	} {
		if err := o.write([]byte(part.text), offset, part.live); err != nil {
			t.Fatal(err)
		}
		offset += int64(len(part.text))
		clock = clock.Add(time.Second)
	}
	want := "             unknown\r\n06:08:09.123 past\n06:08:09.123 begun then\r\n07:08:11.123 live\n07:08:12.123 \n07:08:12.123 last"
	if text.String() != want {
		t.Errorf("got %q\nwant %q", text.String(), want)
	}
}

// Text after a carriage return does not overwrite a stamp, and all bytes stay, in whichever
// pieces they come.
func TestStampsAndReturns(t *testing.T) {
	const stamp = "07:08:09.123 "
	clock := time.Date(2026, 11, 22, 7, 8, 9, 123e6, time.Local)
	for _, test := range []struct{ name, text, want string }{
		{"line ends of a terminal", "a\r\n\r\nb\r\n", stamp + "a\r\n" + stamp + "\r\n" + stamp + "b\r\n"},
		{"a return before the text", "\rtext\n", "\r" + stamp + "text\n"},
		{"line ends in reverse", "a\n\rb\n\r", stamp + "a\n\r" + stamp + "b\n\r"},
		{"several returns", "\r\ra\r\r\n", "\r\r" + stamp + "a\r\r\n"},
		{"a line that is overwritten", "10%\r20%\r\n", stamp + "10%\r" + stamp + "20%\r\n"},
		{"colors before the return", "\x1b[1m\rb\r\n", stamp + "\x1b[1m\r" + stamp + "b\r\n"},
	} {
		for _, size := range []int{1, 2, len(test.text)} {
			var text strings.Builder
			o := newOutput(&text, Options{Timestamps: true}, false, false)
			o.stamps.now = func() time.Time { return clock }
			for chunk := range slices.Chunk([]byte(test.text), size) {
				if err := o.write(chunk, 0, true); err != nil {
					t.Fatal(err)
				}
			}
			if err := o.restore(); err != nil {
				t.Fatal(err)
			}
			if text.String() != test.want {
				t.Errorf("%s, in pieces of %d: got %q, want %q", test.name, size, text.String(), test.want)
			}
		}
	}
}

// The mark of a boot is a separate line, in characters that the terminal can show.
func TestRule(t *testing.T) {
	started := time.Date(2026, 11, 27, 16, 3, 21, 0, time.Local)
	for _, test := range []struct {
		name, locale, before string
		boot                 journal.Boot
		dim                  bool
		want                 string
	}{
		{"at the start of a line", "C.UTF-8", "", journal.Boot{Number: 12, Started: started}, false, "──── boot 12 · 16:03:21 ────\r\n"},
		{"after text", "de_DE.utf8", "# ", journal.Boot{Number: 1, Started: started}, false, "# \r\n──── boot 1 · 16:03:21 ────\r\n"},
		{"in another encoding", "C", "text\r\n", journal.Boot{Number: 2, Started: started}, false, "text\r\n---- boot 2 - 16:03:21 ----\r\n"},
		{"of an earlier version", "C.UTF-8", "", journal.Boot{Number: 3}, false, "──── boot 3 ────\r\n"},
		{"dim", "C", "", journal.Boot{Number: 3}, true, "\x1b[2m---- boot 3 ----\x1b[0m\r\n"},
	} {
		t.Setenv("LC_ALL", test.locale)
		var text strings.Builder
		v := newView(Options{Color: test.dim}, newOutput(&text, Options{}, true, false), io.Discard)
		for _, e := range []follow.Event{{Kind: follow.Data, Data: []byte(test.before)}, {Kind: follow.Boot, Boot: test.boot}} {
			if err := v.Handle(e); err != nil {
				t.Fatal(err)
			}
		}
		if text.String() != test.want {
			t.Errorf("%s: %q, want %q", test.name, text.String(), test.want)
		}
	}
	var pipe strings.Builder
	v := newView(Options{}, newOutput(&pipe, Options{}, false, false), io.Discard)
	if err := v.Handle(follow.Event{Kind: follow.Boot, Boot: journal.Boot{Number: 1}}); err != nil || pipe.Len() > 0 {
		t.Errorf("a pipe gets %q (%v)", pipe.String(), err)
	}
}
