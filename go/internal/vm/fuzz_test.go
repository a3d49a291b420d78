package vm

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"microvm-console/internal/qmp"
)

// Whatever a console has printed, a panic that is found is a line of it, is shown in a
// bounded number of lines, and does not depend on what stands before it.
func FuzzPanic(f *testing.F) {
	f.Add([]byte("\r\n"), []byte(deadText))
	f.Add([]byte(panicText), []byte(bootText+panicText))
	f.Add([]byte(bootText), []byte("Kernel panic - not syncing: "+strings.Repeat("\xff", maxMessage)+"\nreboot: \r\n"))
	f.Fuzz(func(t *testing.T, before, text []byte) {
		for _, still := range []bool{false, true} {
			found := panicIn(text, still)
			if found == nil {
				continue
			}
			if !strings.HasPrefix(found.Message, "Kernel panic - not syncing") || len(found.Message) > maxMessage ||
				strings.ContainsAny(found.Message, "\r\n") || !bytes.Contains(text, []byte(found.Message)) || !found.Panic() {
				t.Errorf("%+v in %q", found, text)
			}
			if len(found.Lines) > fateLines || slices.ContainsFunc(found.Lines, func(line string) bool { return strings.ContainsAny(line, "\r\n") }) {
				t.Errorf("lines %q", found.Lines)
			}
			longer := panicIn(slices.Concat(before, []byte("\n"), text), still)
			if longer == nil || longer.Message != found.Message || longer.Fate != found.Fate {
				t.Errorf("%+v, and behind %q %+v", found, before, longer)
			}
			if other := panicIn(text, false); other == nil || other.Message != found.Message {
				t.Errorf("%+v, and while it goes on %+v", found, other)
			}
		}
	})
}

// Whatever QEMU writes to its standard error, and however it comes in pieces, the same
// printable lines are noted, and not more than there is room for.
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

// An event of QEMU's changes what it is about, and nothing else, whatever its data is.
func FuzzEvent(f *testing.F) {
	for _, name := range []string{"SHUTDOWN", "RESET", "VSERPORT_CHANGE", "STOP", "GUEST_PANICKED", "x"} {
		f.Add(name, []byte(`{"guest":true,"reason":"guest-reset","id":"agent0","open":false}`))
		f.Add(name, []byte(`{"guest":1,"open":[]`))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		v := &VM{restarted: make(chan struct{}, 1), halted: make(chan struct{}, 1), panicked: make(chan struct{}, 1), port: make(chan struct{}, 1)}
		v.status.Agent, v.boot.port = true, true
		for range 2 { // a note that nobody has taken yet is no wait
			v.event(qmp.Event{Name: name, Data: data})
		}
		for of, changed := range map[string]bool{
			"SHUTDOWN":        v.shutdown != shutdown{},
			"RESET":           len(v.restarted) > 0 || v.status.Restarts > 0,
			"VSERPORT_CHANGE": len(v.port) > 0,
			"STOP":            len(v.halted) > 0,
			"GUEST_PANICKED":  len(v.panicked) > 0 || v.panicEvent,
		} {
			if changed && name != of {
				t.Errorf("%q with %s has changed what %s is about", name, data, of)
			}
		}
		if agent := v.status.Agent; !agent && len(v.port) == 0 && len(v.restarted) == 0 || v.boot.port != agent && name != "RESET" {
			t.Errorf("%q with %s: agent %t, port %t", name, data, v.status.Agent, v.boot.port)
		}
	})
}
