package consoletest

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What run-test has typed is left out, also if the shell has broken its echo. What the guest has
// printed is there, also in the middle of a line.
func TestWithoutTyping(t *testing.T) {
	console, guest := connected(t)
	go func() { _, _ = io.Copy(io.Discard, guest) }()
	const line = `echo "<$((6*1))>"; (eval 'uname -r'); echo "<$((7*1)):$?>"`
	if err := console.typeLine(line); err != nil {
		t.Fatal(err)
	}
	numbers := ""
	for i := range 9 {
		numbers += fmt.Sprintf("%d\n", i+1)
	}
	for _, test := range []struct{ name, text, want string }{
		{"a command", "# " + line + "\n<6>\n6.1.0\n<7:0>\n# ", "6.1.0\n# "},
		{"with returns", "login: root\r\n# " + line + "\r\n<6>\r\n6.1.0\r\n<7:0>\r\n", "login: root\r\n6.1.0\r\n"},
		{"a broken echo", "# " + line[:20] + line[20:21] + "\b" + line[20:40] + "\r\n" + line[40:] + "\n<6>\nx\n", "x\n"},
		{"the kernel behind a mark", "<6>[  1.0] Oops\n", "[  1.0] Oops\n"},
		{"the kernel behind the echo", "# " + line + "[  1.0] Oops\n", "# [  1.0] Oops\n"},
		{"the kernel within the echo", "# " + line[:30] + "[    1.700000] random: ready\r\n" + line[30:] + "\r\n<6>\r\nx\r\n", "# [    1.700000] random: ready\r\nx\r\n"},
		{"an output without its end", "no end<7:0>\n# ", "no end<7:0>\n# "},
		{"lines of the guest", "# \n\nhello\n", "# \n\nhello\n"},
		{"numbered lines", "begin-2961\n" + numbers + "end-2961\n", "1\n…\n9\n"},
		{"a wrong number", "1\n2\n3\n4\nx\n5\n6\n", "1\n…\n4\nx\n5\n6\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &Suite{consoles: []*Console{console}}
			got := s.WithoutTyping("ttyS0", strings.Split(test.text, "\n"))
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
