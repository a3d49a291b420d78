package consoletest

import (
	"bufio"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"microvm-console/internal/dialog"
)

// What is left without the lines of the kernel are bytes of the text, in order.
func FuzzKernelLines(f *testing.F) {
	f.Add([]byte("/dev/tt[    2.192861] tsc: Refined\r\n[    2.192861] x\nyS0"))
	f.Add([]byte("[ 1.0000[ 2.000000] x\n00] y\n[3.000000] "))
	f.Fuzz(func(t *testing.T, text []byte) {
		left, original := withoutKernelLines(text)
		last := -1
		for at := range left {
			from := original(at+1) - 1
			if from <= last || from >= len(text) || text[from] != left[at] {
				t.Fatalf("byte %d of %q is not at %d of %q", at, left, from, text)
			}
			last = from
		}
		if len(left) < len(text) && !kernelLine.Match(text) {
			t.Errorf("%q became %q", text, left)
		}
	})
}

// Only the whole numbered lines, right after the line that begins them, are accepted.
func FuzzCountLines(f *testing.F) {
	f.Add("# echo begin-$((63*47))\r\nbegin-2961\r\n1\r\n2\r\n3\r\nend-2961\r\n# ")
	f.Add("begin-2961\n1\nbegin-2961\n1\n2\n3\nend-2961")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			lines[i] = strings.TrimRight(line, "\r")
		}
		if slices.ContainsFunc(lines, func(line string) bool { return len(line) >= bufio.MaxScanTokenSize/2 }) {
			return
		}
		begins := func(line string) bool { return strings.HasSuffix(line, linesBegin) }
		at := slices.IndexFunc(lines, begins) + 1
		whole := at > 0 && slices.Equal(lines[at:min(len(lines), at+4)], []string{"1", "2", "3", linesEnd})
		if err := countLines(strings.NewReader(text), 3); (err == nil) != whole {
			t.Errorf("%q: %v, whole %t", text, err, whole)
		}
	})
}

// The output of a command is exact except for line ends, and so is its status.
func FuzzShell(f *testing.F) {
	end, stamp := regexp.MustCompile(`<7:[0-9]{1,3}>`), regexp.MustCompile(`\[ *[0-9]+\.[0-9]{6}\] `)
	f.Add("Hello\r\n", uint8(0))
	f.Add("<6>\r\n<7:$?>\x00\xff", uint8(255))
	f.Fuzz(func(t *testing.T, output string, status uint8) {
		if end.MatchString(output) || stamp.MatchString(output) {
			return // it looks like the command's end, or like a line of the kernel
		}
		console, guest := connected(t)
		go func() {
			line, _ := bufio.NewReader(guest).ReadString('\n') // the pipe ends with the test
			fmt.Fprintf(guest, "%s\r<6>\r\n%s<7:%d>\r\n", strings.TrimSpace(line), output, status)
		}()
		got, gotStatus, err := console.command(limited(t), "x")
		if want := string(dialog.PlainEnds([]byte(output))); err != nil || got != want || gotStatus != int(status) {
			t.Errorf("%q, %d, %v, want %q, %d", got, gotStatus, err, want, status)
		}
	})
}
