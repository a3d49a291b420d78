package verdict

import (
	"fmt"
	"io"
	"strings"

	"microvm-console/internal/plaintext"
)

// Write writes the verdict for people: its word, and a line for each event and each gap. The
// lines of an event that fails follow it.
func (r Result) Write(w io.Writer) error {
	lines := []string{string(r.Verdict)}
	for _, e := range r.Events {
		treatment := string(e.Treatment)
		if e.Reason != "" {
			treatment += " (" + plaintext.Line(e.Reason) + ")"
		}
		lines = append(lines, fmt.Sprintf("%s: %s (%s)", treatment, e, e.Where()))
		if e.Treatment == Fail {
			lines = append(lines, e.indented()...)
		}
	}
	if r.Empty() {
		lines = append(lines, empty)
	}
	for _, gap := range linesOf(r.Gaps) {
		lines = append(lines, "gap: "+gap)
	}
	for _, gap := range linesOf(r.Covered) {
		lines = append(lines, "covered gap: "+gap)
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// indented returns the lines of the report, for the lines below the event's.
func (e Event) indented() []string {
	var lines []string
	for _, line := range e.Lines {
		lines = append(lines, "  "+line)
	}
	return lines
}
