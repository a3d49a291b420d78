package report_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"microvm-console/internal/report"
)

// testPoint matches what a consumer of TAP reads as a result.
var testPoint = regexp.MustCompile(`(?m)^(not )?ok\b`)

// Whatever a guest has printed, a report is well-formed, has each check, and has no control
// characters.
func FuzzFormats(f *testing.F) {
	f.Add("a check", "why", "line")
	f.Add("a\n1..7\nok 1 # SKIP", "\x1b[2J\r\nok 2\n  ...\nBail out!", "\xff]]></failure>\x00\u202e")
	f.Fuzz(func(t *testing.T, name, why, line string) {
		run := report.Run{
			Machine:  "demo",
			Results:  []report.Result{{Name: name}, {Name: name, Err: errors.New(why)}, {Name: name, Skipped: why}, {Name: name, NotRun: why}},
			Consoles: []report.Console{{Device: "ttyS0", Lines: []string{line}}},
			Command:  line,
		}
		all := report.Report{Machines: []string{"demo"}, Repeat: 2, Runs: []report.Run{run}}
		for _, format := range report.Formats() {
			var text strings.Builder
			if err := all.Write(&text, format); err != nil {
				t.Fatalf("%s: %v", format, err)
			}
			if err := wellFormed(format, text.String()); err != nil {
				t.Errorf("%s: %v\n%s", format, err, text.String())
			}
			if strings.ContainsFunc(text.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q", format, text.String())
			}
		}
	})
}

// wellFormed returns an error unless text is a report of four checks in the format.
func wellFormed(format, text string) error {
	switch format {
	case "tap":
		if points := len(testPoint.FindAllString(text, -1)); points != 4 || strings.Contains(text, "\nBail out!") {
			return fmt.Errorf("%d test points", points)
		}
	case "json":
		var read struct{ Runs []struct{ Checks []any } }
		if err := json.Unmarshal([]byte(text), &read); err != nil || len(read.Runs[0].Checks) != 4 {
			return fmt.Errorf("%w, %+v", err, read)
		}
	case "junit":
		cases := 0
		for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) && cases == 4 {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%w, %d cases", err, cases)
			}
			if start, ok := token.(xml.StartElement); ok && start.Name.Local == "testcase" {
				cases++
			}
		}
	}
	return nil
}
