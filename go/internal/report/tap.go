package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"microvm-console/internal/plaintext"
)

// writeTAP writes the report in TAP version 13 (testanything.org), which every consumer
// reads, Perl's too. The diagnostics are YAML. The notes of a run, and the details of one that has
// not passed, follow it as comments. A check that was not run is a skipped one, as TAP has no other
// word for it; an interrupted report ends with "Bail out!", so that no consumer takes it
// for a pass.
func (r Report) writeTAP(w io.Writer) error {
	var text strings.Builder
	total := 0
	for _, run := range r.Runs {
		total += len(run.Results)
	}
	fmt.Fprintf(&text, "TAP version 13\n1..%d\n", total)
	number := 0
	for _, run := range r.Runs {
		for _, result := range run.Results {
			number++
			writeTAPResult(&text, number, r.numbered(r.machine(run.Machine)+result.Name, run), result)
		}
		lines := run.notes()
		if !run.Passed() {
			lines = append(lines, run.details()...)
		}
		for _, line := range lines {
			text.WriteString("# " + line + "\n")
		}
	}
	if r.Several() {
		var table strings.Builder
		_ = r.writeStatistics(&table) // to a string
		for line := range strings.Lines(table.String()) {
			text.WriteString("# " + line)
		}
	}
	if r.Interrupted {
		text.WriteString("Bail out! interrupted\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// hashes escapes a name for a description, in which "#" would begin a directive.
var hashes = strings.NewReplacer(`\`, `\\`, "#", `\#`)

// writeTAPResult writes a test point and its diagnostics.
func writeTAPResult(w io.Writer, number int, name string, result Result) {
	line := fmt.Sprintf("ok %d - %s", number, hashes.Replace(plaintext.Line(name)))
	switch {
	case result.Err != nil:
		line = "not " + line
	case result.Skipped != "":
		fmt.Fprintf(w, "%s # SKIP %s\n", line, hashes.Replace(plaintext.Line(result.Skipped)))
		return
	case result.NotRun != "":
		fmt.Fprintf(w, "%s # SKIP not run: %s\n", line, hashes.Replace(plaintext.Line(result.NotRun)))
		return
	}
	fmt.Fprintf(w, "%s\n  ---\n  duration_ms: %.3f\n", line, float64(result.Duration.Microseconds())/1000)
	if result.Err != nil {
		// A quoted string of Go is one of YAML if all of it is printable.
		fmt.Fprintf(w, "  severity: fail\n  message: %s\n", strconv.Quote(plaintext.Lines(result.Err.Error())))
	}
	fmt.Fprint(w, "  ...\n")
}
