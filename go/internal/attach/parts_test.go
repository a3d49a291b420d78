package attach

import (
	"testing"
	"time"
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
	s := stamps{now: func() time.Time { return clock }}
	out := s.append(nil, []byte("past\nbegun "), false)
	out = s.append(out, []byte("then\r\nli"), true)
	clock = clock.Add(time.Second)
	out = s.append(out, []byte("ve\n\nlast"), true)
	want := "past\nbegun then\r\n07:08:09.123 live\n07:08:10.123 \n07:08:10.123 last"
	if string(out) != want {
		t.Errorf("got %q\nwant %q", out, want)
	}
}
