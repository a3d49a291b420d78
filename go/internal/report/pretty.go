package report

import (
	"fmt"
	"io"
	"strings"

	"microvm-console/internal/plaintext"
)

// Pretty writes results for people, in colour if that is wanted.
type Pretty struct {
	W      io.Writer
	Colour bool
	// Animate shows a check while it is made; W must be a terminal.
	Animate bool
}

// Progress writes one result, or, with done false, that the check is made now.
func (p Pretty) Progress(result Result, done bool) {
	name := plaintext.Line(result.Name)
	switch {
	case !done && p.Animate:
		fmt.Fprintf(p.W, "\x1b[K...          %s\r", name)
	case !done:
	case result.Skipped != "":
		fmt.Fprintf(p.W, p.clear()+"%s            %s (%s)\n", p.paint("33", "skip"), name, plaintext.Line(result.Skipped))
	case result.NotRun != "":
		fmt.Fprintf(p.W, p.clear()+"%s         %s (%s)\n", p.paint("33", "not run"), name, plaintext.Line(result.NotRun))
	case result.Err == nil:
		fmt.Fprintf(p.W, p.clear()+"%s %7.2f s  %s\n", p.paint("32", "ok  "), result.Duration.Seconds(), name)
	default:
		fmt.Fprintf(p.W, p.clear()+"%s %7.2f s  %s\n", p.paint("31", "FAIL"), result.Duration.Seconds(), name)
		why := plaintext.Lines(result.Err.Error())
		fmt.Fprintf(p.W, "                %s\n", strings.ReplaceAll(why, "\n", "\n                "))
	}
}

// Close writes the closing line of a run.
func (p Pretty) Close(run Run) { fmt.Fprintln(p.W, p.clear()+run.Count().String()) }

// Begin writes the first line of a run, of those that are asked for.
func (p Pretty) Begin(run, all int) { fmt.Fprintf(p.W, "run %d of %d\n", run+1, all) }

// Statistics writes what several runs say together.
func (p Pretty) Statistics(report Report) error { return report.Statistics().write(p.W) }

// clear clears what the line showed while a check was made (ECMA-48, EL).
func (p Pretty) clear() string {
	if p.Animate {
		return "\x1b[K"
	}
	return ""
}

// paint colours text with an SGR code (ECMA-48).
func (p Pretty) paint(code, text string) string {
	if !p.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// writeText writes what Pretty shows, and behind each run that has not passed what
// helps to understand it.
func (r Report) writeText(w io.Writer) error {
	var text strings.Builder
	pretty := Pretty{W: &text}
	for i, run := range r.Runs {
		if r.Repeated {
			pretty.Begin(i, len(r.Runs))
		}
		for _, result := range run.Results {
			pretty.Progress(result, true)
		}
		pretty.Close(run)
		if !run.Passed() {
			_ = run.WriteDetails(&text) // to a string
		}
	}
	if r.Repeated {
		_ = pretty.Statistics(r) // to a string
	}
	_, err := io.WriteString(w, text.String())
	return err
}
