package server

import (
	"bufio"
	"strings"
	"testing"
)

// A value that is quoted as os-release(5) says is read as it is, whatever stands before
// it.
func FuzzAssignments(f *testing.F) {
	f.Add("# a comment\nID=debian\nNAME='x\n", "Debian GNU/Linux 12 (bookworm)")
	f.Add("=\n'\nVALUE=\"", `a "b" \ $c `+"`d`")
	quote := strings.NewReplacer(`"`, `\"`, `$`, `\$`, "`", "\\`", `\`, `\\`)
	f.Fuzz(func(t *testing.T, before, value string) {
		if strings.Contains(value, "\n") || len(before)+len(value) > 1<<15 {
			return // a value is part of a line, and that of a length which a Scanner takes
		}
		text := before + "\n VALUE=\"" + quote.Replace(value) + "\"\n"
		values := assignments(bufio.NewScanner(strings.NewReader(text)))
		if got := values["VALUE"]; got != value {
			t.Errorf("%q is read as %q, want %q", text, got, value)
		}
		for name, value := range values {
			if strings.HasPrefix(name, "#") || strings.ContainsAny(name+value, "\n") || !strings.Contains(text, name+"=") {
				t.Errorf("%q has %q as %q", text, name, value)
			}
		}
	})
}
