package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/plaintext"
	"microvm-console/internal/report"
)

// longestLine is how many bytes of a line without an end are printed as one.
const longestLine = 64 << 10

// live prints the lines of the consoles as they come, each with its device. Each console calls
// the function that it gets from one goroutine, and at the end with no bytes.
func live(print func(line string)) func(device string) func(data []byte) {
	return func(device string) func(data []byte) {
		var rest []byte // the beginning of a line
		line := func(text []byte) {
			print(fmt.Sprintf("%-5s | %s", device, plaintext.Line(strings.TrimRight(string(text), "\r"))))
		}
		return func(data []byte) {
			rest = append(rest, data...)
			for {
				text, after, found := bytes.Cut(rest, []byte("\n"))
				if !found && len(rest) < longestLine {
					break
				}
				if !found {
					text, after = rest[:longestLine], rest[longestLine:]
				}
				line(text)
				rest = after
			}
			if data == nil && len(rest) > 0 {
				line(rest)
				rest = nil
			}
		}
	}
}

// liveLines returns the function of --live; nil without it. The lines are among the results,
// or, if a report goes to standard output, on standard error, errout.
func liveLines(c *cli.Context, pretty *report.Pretty, errout io.Writer) func(device string) func(data []byte) {
	switch {
	case !c.Bool("live"):
		return nil
	case prints(c):
		return live(pretty.Note)
	}
	errors := &report.Pretty{W: errout, Prefix: pretty.Prefix}
	return live(errors.Note)
}
