package harness

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"
)

// The lines before and after the numbered ones. The guest computes them: the echo of the
// command line has neither.
const (
	LinesBegin = "begin-2961\r\n"
	LinesEnd   = "end-2961\r\n"
)

// LinesLimit is how long a guest may take to print the lines.
func LinesLimit() time.Duration { return WaitLimit + time.Duration(*Lines)*time.Millisecond }

// PrintLines is a command for a guest's shell that prints as many numbered lines as the
// flag -lines says. It silences the kernel, which would report slow timers of a busy
// machine on both consoles, among the lines.
func PrintLines() string {
	return fmt.Sprintf("echo 1 >/proc/sys/kernel/printk; echo begin-$((63*47)); seq 1 %d; echo end-$((63*47))\n", *Lines)
}

// LinesBytes returns how many bytes the lines 1 to last take on a console.
func LinesBytes(last int) int64 {
	bytes := int64(0)
	for first, digits := 1, int64(1); first <= last; first, digits = first*10, digits+1 {
		bytes += int64(min(last+1, first*10)-first) * (digits + 2)
	}
	return bytes
}

// CheckLines reports an error unless a text has each of the numbered lines once, in
// order. A text that begins among them has to have those from the first whole one on.
func CheckLines(t *testing.T, where string, text []byte) {
	t.Helper()
	first := 1
	_, printed, whole := bytes.Cut(text, []byte(LinesBegin))
	if !whole {
		_, printed, _ = bytes.Cut(text, []byte("\n"))
		line, _, _ := bytes.Cut(printed, []byte("\r"))
		first, _ = strconv.Atoi(string(line)) // 0, if it is not a number, is missing
	}
	printed, _, ended := bytes.Cut(printed, []byte(LinesEnd))
	if !ended {
		t.Errorf("%s: the line after the numbered ones is missing", where)
	}
	missing, repeated, astray := countLines(printed, first, *Lines)
	t.Logf("%s: of the lines from %d to %d, missing %d, repeated %d, astray %d", where, first, *Lines, missing, repeated, len(astray))
	if missing+repeated+len(astray) > 0 {
		t.Errorf("%s: the first ones astray: %q", where, astray[:min(len(astray), 20)])
	}
}

// countLines counts the numbered lines first to last that are missing and that are
// repeated, and returns the lines that are out of order or not numbered ones.
func countLines(text []byte, first, last int) (missing, repeated int, astray []string) {
	seen := make([]bool, last+1)
	before := first - 1
	for line := range bytes.Lines(text) {
		n, err := strconv.Atoi(string(bytes.TrimSuffix(line, []byte("\r\n"))))
		switch {
		case err != nil || n < first || n > last:
			astray = append(astray, string(line))
			continue
		case seen[n]:
			repeated++
		case n < before:
			astray = append(astray, string(line))
		}
		seen[n] = true
		before = n
	}
	for n := first; n <= last; n++ {
		if !seen[n] {
			missing++
		}
	}
	return missing, repeated, astray
}
