package attach

import (
	"fmt"
	"io"

	"microvm-console/internal/plaintext"
)

// notices are lines to the user that are not the guest's.
type notices struct {
	w           io.Writer
	lead        string // what takes the cursor to a line of its own
	prefix, end string
}

// terminalNotices are for a terminal in raw mode.
func terminalNotices(w io.Writer, dim bool) notices {
	if dim {
		return notices{w, "\r\n", "\x1b[2m[", "]\x1b[0m\r\n"}
	}
	return notices{w, "\r\n", "[", "]\r\n"}
}

// say prints a line of printable characters: another client's name may be in it.
func (n notices) say(format string, args ...any) {
	fmt.Fprintf(n.w, "%s%s%s%s", n.lead, n.prefix, plaintext.Line(fmt.Sprintf(format, args...)), n.end)
}

// begin prints a line where the cursor is at the start of one.
func (n notices) begin(format string, args ...any) {
	n.lead = ""
	n.say(format, args...)
}

// bell rings at the terminal.
func (n notices) bell() { fmt.Fprint(n.w, "\a") }
