package harness

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"
)

// What stands before and behind the numbered lines. The guest computes it: the
// echo of the command line has neither.
const (
	LinesBegin = "begin-2961\r\n"
	LinesEnd   = "end-2961\r\n"
)

// LinesLimit is when the lines have to be there.
func LinesLimit() time.Duration { return WaitLimit + time.Duration(*Lines)*time.Millisecond }

// PrintLines has a guest's shell print them, and its kernel be silent: on a busy
// machine it tells of slow timers and clocks, on both consoles, amid the lines.
func PrintLines() string {
	return fmt.Sprintf("echo 1 >/proc/sys/kernel/printk; echo begin-$((63*47)); seq 1 %d; echo end-$((63*47))\n", *Lines)
}

// LinesBytes is how many bytes the lines from 1 to last take on a console.
func LinesBytes(last int) int64 {
	bytes := int64(0)
	for first, digits := 1, int64(1); first <= last; first, digits = first*10, digits+1 {
		bytes += int64(min(last+1, first*10)-first) * (digits + 2)
	}
	return bytes
}

// CheckNumberedLines looks for the numbered lines in what somebody has got: all of them, or
// those from the first whole one on where text begins among them.
func CheckNumberedLines(t *testing.T, where string, text []byte) {
	t.Helper()
	first := 1
	_, printed, whole := bytes.Cut(text, []byte(LinesBegin))
	if !whole {
		_, printed, _ = bytes.Cut(text, []byte("\n"))
		line, _, _ := bytes.Cut(printed, []byte("\r"))
		first, _ = strconv.Atoi(string(line)) // 0, where it is none, is missing
	}
	printed, _, ended := bytes.Cut(printed, []byte(LinesEnd))
	if !ended {
		t.Errorf("%s: the line behind the numbered ones is missing", where)
	}
	missing, repeated, astray := countLines(printed, first, *Lines)
	t.Logf("%s: of the lines from %d to %d, missing %d, repeated %d, astray %d", where, first, *Lines, missing, repeated, len(astray))
	if missing+repeated+len(astray) > 0 {
		t.Errorf("%s: the first ones astray: %q", where, astray[:min(len(astray), 20)])
	}
}

// countLines counts what is wrong with the numbered lines first to last: those that
// are not there, those that are there again, and those that are out of order or
// no such line, as they are.
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
