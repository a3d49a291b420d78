package attach

import (
	"fmt"
	"io"
	"os"
	"strings"

	"microvm-console/internal/journal"
	"microvm-console/internal/plaintext"
)

// notices prints lines for the user.
type notices struct {
	w           io.Writer
	prefix, end string
	// out is the output that shares a screen with the notices; nil if none does. A notice
	// begins a line there.
	out *output
}

// newNotices returns notices to log, which begin with the name of a program.
func newNotices(log io.Writer, program string) notices {
	return notices{w: log, prefix: program + ": ", end: "\n"}
}

// onScreen returns notices for a terminal in raw mode.
func onScreen(out *output, dim bool) notices {
	if dim {
		return notices{out.w, "\x1b[2m[", "]\x1b[0m\r\n", out}
	}
	return notices{out.w, "[", "]\r\n", out}
}

// say prints one line. It has printable characters only, as it may quote the name of
// another client.
func (n notices) say(format string, args ...any) {
	fmt.Fprintf(n.w, "%s%s%s%s", newLine(n.out), n.prefix, plaintext.Line(fmt.Sprintf(format, args...)), n.end)
}

// bell rings the bell of the terminal.
func (n notices) bell() { fmt.Fprint(n.w, "\a") }

// newLine returns the bytes that move the cursor to the start of a line, and records that it
// is there.
func newLine(out *output) string {
	if out == nil || !out.within.Swap(false) {
		return ""
	}
	return "\r\n"
}

// rule prints the line that marks a boot on a terminal.
func (o *output) rule(boot journal.Boot, dim bool) error {
	const length = 4
	dash, dot := "─", "·"
	if !utf8Locale() {
		dash, dot = "-", "-"
	}
	line := fmt.Sprintf("boot %d", boot.Number)
	if !boot.Started.IsZero() {
		line += " " + dot + boot.Started.Local().Format(" 15:04:05")
	}
	line = strings.Repeat(dash, length) + " " + line + " " + strings.Repeat(dash, length)
	if dim {
		line = "\x1b[2m" + line + "\x1b[0m"
	}
	_, err := fmt.Fprintf(o.w, "%s%s\r\n", newLine(o), line)
	return err
}

// utf8Locale reports whether the terminal shows UTF-8, according to the variables of
// locale(7).
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := os.Getenv(name); value != "" {
			value = strings.ToUpper(value)
			return strings.HasSuffix(value, "UTF-8") || strings.HasSuffix(value, "UTF8")
		}
	}
	return false
}
