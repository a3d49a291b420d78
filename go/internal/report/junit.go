package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"strings"

	"microvm-console/internal/plaintext"
)

// The elements of JUnit's XML, in the form of Jenkins' schema (junit-10.xsd), which other
// consumers read too.
type (
	suites struct {
		XMLName  xml.Name `xml:"testsuites"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Time     string   `xml:"time,attr"`
		Suites   []suite  `xml:"testsuite"`
	}
	suite struct {
		Name       string     `xml:"name,attr"`
		Tests      int        `xml:"tests,attr"`
		Failures   int        `xml:"failures,attr"`
		Errors     int        `xml:"errors,attr"`
		Skipped    int        `xml:"skipped,attr"`
		Time       string     `xml:"time,attr"`
		Timestamp  string     `xml:"timestamp,attr"`
		Hostname   string     `xml:"hostname,attr"`
		Properties []property `xml:"properties>property"`
		Cases      []testCase `xml:"testcase"`
		Output     string     `xml:"system-out"`
		Errout     string     `xml:"system-err"`
	}
	property struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	testCase struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		Time    string   `xml:"time,attr"`
		Skipped *reason  `xml:"skipped"`
		Failure *failure `xml:"failure"`
		Output  string   `xml:"system-out,omitempty"`
	}
	reason struct {
		Message string `xml:"message,attr"`
	}
	failure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes the report in JUnit's XML, with a test suite for each run.
func (r Report) writeJUnit(w io.Writer) error {
	all := suites{Name: plaintext.Line(strings.Join(r.Machines, ", "))}
	total := 0.0
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	for _, run := range r.Runs {
		one := run.suite(r.numbered(run.Machine, run))
		one.Hostname = host
		one.Properties = append(one.Properties, property{"version", r.Version})
		all.Tests += one.Tests
		all.Failures += one.Failures
		total += run.Duration.Seconds()
		all.Suites = append(all.Suites, one)
	}
	all.Time = seconds(total)
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, xml.Header+string(text)+"\n")
	return err
}

// suite returns a run as a test suite. Its name is also the class of its checks: of two checks with
// the same class and name, GitLab shows only the first. The notes of the run are those of the check of the
// kernel's log if it is reported.
func (r Run) suite(name string) suite {
	count := r.Count()
	one := suite{
		Name: plaintext.Line(name), Tests: len(r.Results), Failures: count.Failed, Skipped: count.Skipped + count.NotRun,
		Time:      seconds(r.Duration.Seconds()),
		Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"), // the schema has no time zone
		Properties: []property{
			{"vm", plaintext.Line(r.VM)}, {"accel", plaintext.Line(r.Accel)}, {"machine", plaintext.Line(r.Type)},
			{"toLoginSeconds", seconds(r.ToLogin.Seconds())},
		},
	}
	lines := r.notes()
	for _, result := range r.Results {
		test := result.testCase(name)
		if result.Name == NameKernel {
			test.Output, lines = strings.Join(lines, "\n"), nil
		}
		one.Cases = append(one.Cases, test)
	}
	if !r.Passed() {
		lines = append(lines, r.details()...)
	}
	one.Output = strings.Join(lines, "\n")
	return one
}

func (r Result) testCase(class string) testCase {
	one := testCase{Name: plaintext.Line(r.Name), Class: plaintext.Line(class), Time: seconds(r.Duration.Seconds())}
	switch {
	case r.Err != nil:
		text := plaintext.Lines(r.Err.Error())
		first, _, _ := strings.Cut(text, "\n")
		one.Failure = &failure{first, "failed", text}
	case r.Skipped != "":
		one.Skipped = &reason{plaintext.Line(r.Skipped)}
	case r.NotRun != "": // the schema has no word for it
		one.Skipped = &reason{"not run: " + plaintext.Line(r.NotRun)}
	}
	return one
}

// seconds formats a duration as the schema wants it.
func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }
