package consoletest

import (
	"strings"
	"testing"
)

func TestCountLines(t *testing.T) {
	const echo = "# echo begin-$((63*47)); seq 1 3 | cat\r\n"
	tests := []struct {
		name, text, want string
	}{
		{"all", echo + "begin-2961\r\n1\r\n2\r\n3\r\nend-2961\r\n# ", ""},
		{"after a control sequence", "# \x1b[?2004l\rbegin-2961\r\n1\r\n2\r\n3\r\nend-2961\r\n# ", ""},
		{"one is missing", "begin-2961\r\n1\r\n3\r\nend-2961\r\n", `got "3", want line 2 of 3`},
		{"one is repeated", "begin-2961\r\n1\r\n1\r\n2\r\n3\r\nend-2961\r\n", `got "1", want line 2 of 3`},
		{"the last one is missing", "begin-2961\r\n1\r\n2\r\nend-2961\r\n", `got "end-2961", want line 3 of 3`},
		{"one too many", "begin-2961\r\n1\r\n2\r\n3\r\n4\r\nend-2961\r\n", `got "end-2961", want line 5 of 3`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if err := countLines(strings.NewReader(test.text), 3); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
