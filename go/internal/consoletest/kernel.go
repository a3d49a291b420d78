package consoletest

import (
	"regexp"

	"microvm-console/internal/kevent"
)

// kernelLine matches a line that the kernel prints to a console (printk).
var kernelLine = regexp.MustCompile(kevent.LinePrefix + `[^\n]*\n`)

// withoutKernelLines returns text without the lines of the kernel. original returns the
// position in text of a position in the result.
func withoutKernelLines(text []byte) (left []byte, original func(int) int) {
	lines := kernelLine.FindAllIndex(text, -1)
	if lines == nil {
		return text, func(at int) int { return at }
	}
	from := 0
	for _, line := range lines {
		left = append(left, text[from:line[0]]...)
		from = line[1]
	}
	left = append(left, text[from:]...)
	return left, func(at int) int {
		for _, line := range lines {
			if line[0] >= at {
				break
			}
			at += line[1] - line[0]
		}
		return at
	}
}
