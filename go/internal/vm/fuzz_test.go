package vm

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"microvm-console/internal/guest"
	"microvm-console/internal/qmp"
)

// The notes do not depend on how QEMU's standard error is split. They are printable, and not more
// than there is room for.
func FuzzWarnings(f *testing.F) {
	f.Add([]byte("qemu: a\r\nqemu: a\n\x1b[2J\n\xff"), uint8(2))
	f.Add([]byte(strings.Repeat("x", maxWarning+9)+"\n\n \n"), uint8(200))
	f.Add([]byte("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\na\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\n"), uint8(0))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		noted := func(pieces [][]byte) (lines []string) {
			w := newWarnings("/usr/bin/qemu")
			for _, piece := range pieces {
				if n, err := w.Write(piece); n != len(piece) || err != nil {
					t.Errorf("%d bytes, %v", n, err)
				}
			}
			w.finish()
			close(w.lines)
			for line := range w.lines {
				lines = append(lines, line)
			}
			return lines
		}
		whole, parts := noted([][]byte{text}), noted(slices.Collect(slices.Chunk(text, int(size)+1)))
		if !slices.Equal(whole, parts) || len(whole) > maxWarnings+1 {
			t.Errorf("at once %q, in pieces %q", whole, parts)
		}
		for _, line := range whole {
			if line == "" || strings.ContainsFunc(line, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
				t.Errorf("noted is %q", line)
			}
		}
	})
}

// An event of QEMU changes only the state that it is about, whatever its data is.
func FuzzEvent(f *testing.F) {
	for _, name := range []string{"SHUTDOWN", "RESET", "VSERPORT_CHANGE", "STOP", "RESUME", "GUEST_PANICKED", "x"} {
		f.Add(name, []byte(`{"guest":true,"reason":"guest-reset","id":"agent0","open":false}`))
		f.Add(name, []byte(`{"guest":1,"open":[]`))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		g := guest.New(nil)
		g.SetPort(true)
		g.Answered(0)
		e := newEvents(g, &outputs{guest: g}, newWindows(g), false)
		for range 2 { // take does not block if the first was not received
			e.take(qmp.Event{Name: name, Data: data})
		}
		for of, changed := range map[string]bool{
			"SHUTDOWN":        e.last != guest.Shutdown{},
			"RESET":           len(e.restarted) > 0 || g.State().Restarts > 0,
			"VSERPORT_CHANGE": len(e.port) > 0,
			"STOP RESUME":     len(e.runState) > 0,
			"GUEST_PANICKED":  len(e.panicked) > 0 || e.device,
		} {
			if changed && !strings.Contains(" "+of+" ", " "+name+" ") {
				t.Errorf("%q with %s has changed what %s is about", name, data, of)
			}
		}
		if is := g.State(); !is.Agent && len(e.port) == 0 && len(e.restarted) == 0 || is.Port != is.Agent {
			t.Errorf("%q with %s: %+v", name, data, is)
		}
	})
}
