package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWarnings(t *testing.T) {
	var many, first []string
	for i := range 3 * maxWarnings {
		many = append(many, fmt.Sprintf("line %d\n", i))
		if i < maxWarnings {
			first = append(first, fmt.Sprintf("line %d", i))
		}
	}
	tests := []struct {
		name   string
		writes []string
		want   []string
	}{
		{"nothing", nil, nil},
		{"QEMU's name is removed", []string{"qemu: warning: a\n", "qemu: qemu: b\nc: d\n"}, []string{"warning: a", "qemu: b", "c: d"}},
		{"a line in parts, and one without a newline", []string{"o", "n", "e\ntw", "o"}, []string{"one", "two"}},
		{"lines that repeat", []string{"a\nb\na\n", "b\n", "a"}, []string{"a", "b"}},
		{"empty lines", []string{"\n\n \r\n", "a\r\n"}, []string{"a"}},
		{"control characters", []string{"\x1b]0;evil\a\n\xff\n"}, []string{`\x1b]0;evil\a`, `\xff`}},
		{"a long line", []string{strings.Repeat("x", maxWarning), strings.Repeat("y", 9000), "\nb\n"}, []string{strings.Repeat("x", maxWarning), "b"}},
		{"many", many, append(first, "more than 20 different lines; the others are not shown")},
		{"many repeated lines", []string{strings.Repeat(strings.Join(many[:maxWarnings], ""), 3)}, first},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWarnings("/usr/bin/qemu")
			for _, text := range test.writes {
				if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
					t.Errorf("%d bytes, %v", n, err)
				}
			}
			w.finish()
			close(w.lines)
			var got []string
			for line := range w.lines {
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A QEMU that floods its standard error is not blocked. Its lines are in the log and in the status.
func TestWarningsAreNoted(t *testing.T) {
	text := strings.Repeat(filepath.Base(os.Args[0])+": warning: old\n", 100_000) + "another \x1b[2J\nthe last"
	logs := make(chan string, 100)
	m := machine(t, "fake.warn="+printed(t, text), "fake.print="+printed(t, loginText))
	v, ended := runWith(t, m, Options{AutoPorts: true, Log: func(line string) { logs <- line }})
	if err := ready(t, v); err != nil {
		t.Fatal(err)
	}
	await(t, "note of the second line", func() bool { return len(v.Status().Notes) == 2 })
	stop(t, v, ended)
	want := []string{"qemu: warning: old", `qemu: another \x1b[2J`, "qemu: the last"}
	var noted, logged []string
	for _, note := range v.Status().Notes {
		noted = append(noted, note.Text)
	}
	for len(logs) > 0 {
		if line := <-logs; strings.HasPrefix(line, "qemu: ") {
			logged = append(logged, line)
		}
	}
	if diff := cmp.Diff(want, noted); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, logged); diff != "" {
		t.Error(diff)
	}
}
