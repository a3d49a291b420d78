package harness

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"
)

// The lines before and after the numbered lines. The guest computes them, so that the echo
// of the command line does not match.
const (
	LinesBegin = "begin-2961\r\n"
	LinesEnd   = "end-2961\r\n"
)

// LinesLimit returns the time limit for a guest to print the lines.
func LinesLimit() time.Duration { return WaitLimit + time.Duration(*Lines)*time.Millisecond }

// PrintLines returns a shell command for the guest that prints numbered lines; the flag
// -lines has their number. It stops the kernel's messages, because on a busy machine the
// kernel prints warnings about slow timers between the lines.
func PrintLines() string {
	return fmt.Sprintf("echo 1 >/proc/sys/kernel/printk; echo begin-$((63*47)); seq 1 %d; echo end-$((63*47))\n", *Lines)
}

// LinesBytes returns the number of bytes of the lines 1 to last on a console.
func LinesBytes(last int) int64 {
	bytes := int64(0)
	for first, digits := 1, int64(1); first <= last; first, digits = first*10, digits+1 {
		bytes += int64(min(last+1, first*10)-first) * (digits + 2)
	}
	return bytes
}

// CheckLines reports an error unless text has each of the numbered lines once and in order.
// If text begins in the middle of the lines, it must have all from the first whole line on.
func CheckLines(t *testing.T, where string, text []byte) {
	t.Helper()
	first := 1
	_, printed, whole := bytes.Cut(text, []byte(LinesBegin))
	if !whole {
		_, printed, _ = bytes.Cut(text, []byte("\n"))
		line, _, _ := bytes.Cut(printed, []byte("\r"))
		first, _ = strconv.Atoi(string(line)) // 0 if it is not a number, which is then reported
	}
	printed, _, ended := bytes.Cut(printed, []byte(LinesEnd))
	if !ended {
		t.Errorf("%s: the line after the numbered lines is missing", where)
	}
	missing, repeated, misplaced := countLines(printed, first, *Lines)
	t.Logf("%s: lines %d to %d: missing %d, repeated %d, misplaced %d", where, first, *Lines, missing, repeated, len(misplaced))
	if missing+repeated+len(misplaced) > 0 {
		t.Errorf("%s: the first misplaced lines: %q", where, misplaced[:min(len(misplaced), 20)])
	}
}

// countLines returns how many of the lines first to last are missing or repeated in text, and
// the lines that are out of order or not numbered.
func countLines(text []byte, first, last int) (missing, repeated int, misplaced []string) {
	seen := make([]bool, last+1)
	before := first - 1
	for line := range bytes.Lines(text) {
		n, err := strconv.Atoi(string(bytes.TrimSuffix(line, []byte("\r\n"))))
		switch {
		case err != nil || n < first || n > last:
			misplaced = append(misplaced, string(line))
			continue
		case seen[n]:
			repeated++
		case n < before:
			misplaced = append(misplaced, string(line))
		}
		seen[n] = true
		before = n
	}
	for n := first; n <= last; n++ {
		if !seen[n] {
			missing++
		}
	}
	return missing, repeated, misplaced
}
