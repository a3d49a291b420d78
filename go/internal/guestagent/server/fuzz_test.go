package server

import (
	"bufio"
	"strings"
	"testing"
)

// A value that is quoted as in os-release(5) is parsed, with any text before it.
func FuzzAssignments(f *testing.F) {
	f.Add("# a comment\nID=debian\nNAME='x\n", "Debian GNU/Linux 12 (bookworm)")
	f.Add("=\n'\nVALUE=\"", `a "b" \ $c `+"`d`")
	quote := strings.NewReplacer(`"`, `\"`, `$`, `\$`, "`", "\\`", `\`, `\\`)
	f.Fuzz(func(t *testing.T, before, value string) {
		if strings.Contains(value, "\n") || len(before)+len(value) > 1<<15 {
			return // a value is on one line, and a Scanner limits its length
		}
		text := before + "\n VALUE=\"" + quote.Replace(value) + "\"\n"
		values := assignments(bufio.NewScanner(strings.NewReader(text)))
		if got := values["VALUE"]; got != value {
			t.Errorf("%q is parsed as %q, want %q", text, got, value)
		}
		for name, value := range values {
			if strings.HasPrefix(name, "#") || strings.ContainsAny(name+value, "\n") || !strings.Contains(text, name+"=") {
				t.Errorf("%q: got %q = %q", text, name, value)
			}
		}
	})
}
