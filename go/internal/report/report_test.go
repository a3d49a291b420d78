package report_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/color"
	"microvm-console/internal/kevent"
	"microvm-console/internal/report"
	"microvm-console/internal/verdict"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const ms = time.Millisecond

var started = time.Date(2026, 11, 24, 16, 0, 0, 0, time.FixedZone("CET", 3600))

// passed is a run that has passed.
var passed = report.Run{
	Machine: "demo", Number: 1, VM: "demo-test-812", Started: started, Duration: 5250 * ms, ToLogin: 2100 * ms, Accel: "tcg", Type: "q35",
	Results: []report.Result{
		{Name: "the VM starts", Duration: 150 * ms},
		{Name: "login on ttyS0", Skipped: "login is false in vm.json"},
		{Name: `a "name" with # and \ and <b>&'`, Duration: 1500 * ms},
	},
}

// hostile is a run of a guest that prints control characters and the syntax of formats.
var hostile = report.Run{
	Machine: "demo", Number: 1, VM: "demo-test-812", Started: started, Duration: 30 * time.Second, Accel: "tcg", Type: "q35",
	Results: []report.Result{
		{Name: "the VM starts", Duration: 250 * ms},
		{Name: "login on ttyS0", Duration: 2 * time.Second, Err: errors.New("last line: \x1b]0;evil\a\x00\xff]]>\r\nnot ok 99 - second line\n...\n<failure/>")},
		{Name: "evil\x1b[2J\nok 7 # SKIP all", Err: errors.New(`quotes " and ' and \`)},
	},
	Command: "qemu-system-x86_64 \\\n  -name demo",
	Consoles: []report.Console{
		{Device: "ttyS0", Bytes: 4711, Lines: []string{"1..2000", "\x1b[31mred\x9b2J", "]]></system-out>&<x>", "tab\there"}},
		{Device: "hvc0", Lines: []string{""}},
	},
	Kept: "/tmp/run-test-demo-1",
}

// interrupted is a run that the user has ended.
var interrupted = report.Run{
	Machine: "demo", Number: 1, VM: "demo-test-812", Started: started, Duration: 3 * time.Second, Accel: "tcg", Type: "q35",
	Results: []report.Result{
		{Name: "the VM starts", Duration: 150 * ms},
		{Name: "login on ttyS0", Duration: 1500 * ms, NotRun: "interrupted before its end"},
		{Name: "tty", NotRun: "interrupted"},
	},
	Consoles: []report.Console{{Device: "ttyS0", Bytes: 6, Lines: []string{"hello"}, Until: `"b" was interrupted`}},
}

// noted is a run with events that fail nothing, and a gap that does not matter.
var noted = report.Run{
	Machine: "demo", Number: 1, VM: "demo-test-812", Started: started, Duration: 3 * time.Second, Accel: "tcg", Type: "q35", Restarts: 1,
	Results: []report.Result{{Name: "the VM starts", Duration: 150 * ms}, {Name: report.NameKernel, Duration: 2 * ms}},
	Kernel: &verdict.Result{
		Verdict: verdict.Clean,
		Events: []verdict.Event{
			{Event: kevent.Event{Kind: kevent.Warning, Title: "WARNING: CPU: 0", Function: "fuzz_open", Begin: 12}, Console: "ttyS0", Treatment: verdict.Note, Lines: []string{}},
			{Event: kevent.Event{Kind: kevent.Lockdep, Title: "x]]>", Begin: 99}, Console: "hvc0", Treatment: verdict.Allowed, Reason: "fixed\nin 6.13", Lines: []string{}},
		},
		Covered: []verdict.Gap{{Console: "hvc0", Offset: 40, Bytes: 5, Cause: "no space"}},
	},
}

// chosen is the same run without the check of the kernel's log.
func chosen() report.Run {
	run := noted
	run.Results = run.Results[:1]
	return run
}

// reports are written in each format to testdata.
var reports = map[string]report.Report{
	"passed":      {Machines: []string{"demo"}, Version: "1.2", Repeat: 1, Runs: []report.Run{passed}},
	"hostile":     {Machines: []string{"demo"}, Version: "1.2", Repeat: 1, Runs: []report.Run{hostile}},
	"repeated":    {Machines: []string{"demo"}, Version: "1.2", Repeat: 3, Runs: []report.Run{passed, run(hostile, "demo", 2), run(passed, "demo", 3)}},
	"interrupted": {Machines: []string{"demo"}, Version: "1.2", Repeat: 2, Interrupted: true, Runs: []report.Run{passed, run(interrupted, "demo", 2)}},
	"machines":    {Machines: []string{"demo", "web"}, Version: "1.2", Repeat: 1, Runs: []report.Run{passed, run(hostile, "web", 1)}},
	"many": {Machines: []string{"demo", "web"}, Version: "1.2", Repeat: 2, Runs: []report.Run{
		passed, run(hostile, "demo", 2), run(passed, "web", 1), run(passed, "web", 2),
	}},
	"noted":   {Machines: []string{"demo"}, Version: "1.2", Repeat: 1, Runs: []report.Run{noted}},
	"chosen":  {Machines: []string{"demo"}, Version: "1.2", Repeat: 1, Runs: []report.Run{chosen()}},
	"nothing": {Machines: []string{"demo"}, Version: "1.2", Repeat: 1},
}

// run returns a run as one of another machine, or with another number.
func run(r report.Run, machine string, number int) report.Run {
	r.Machine, r.Number = machine, number
	return r
}

// hostname replaces the name of this host, for golden files.
func hostname(text string) string {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	return strings.ReplaceAll(text, `hostname="`+name+`"`, `hostname="here"`)
}

func TestFormats(t *testing.T) {
	for name, tested := range reports {
		for _, format := range report.Formats() {
			t.Run(name+"-"+format, func(t *testing.T) {
				var text strings.Builder
				if err := tested.Write(&text, format); err != nil {
					t.Fatal(err)
				}
				got := hostname(text.String())
				golden := filepath.Join("testdata", name+"."+format)
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// The line that names the folder of the output says if bytes are missing there.
func TestWhereKept(t *testing.T) {
	for _, test := range []struct {
		kernel *verdict.Result
		want   string
	}{
		{nil, "the whole output of the consoles is in /tmp/x"},
		{&verdict.Result{}, "the whole output of the consoles is in /tmp/x"},
		{noted.Kernel, "the output of the consoles, of which bytes are missing, is in /tmp/x"},
		{&verdict.Result{Gaps: noted.Kernel.Covered}, "the output of the consoles, of which bytes are missing, is in /tmp/x"},
	} {
		if got := (report.Run{Kernel: test.kernel, Kept: "/tmp/x"}).WhereKept(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// Lines that two consoles have are in the details once.
func TestDetailsOnce(t *testing.T) {
	run := report.Run{Consoles: []report.Console{
		{Device: "ttyS0", Bytes: 9, Lines: []string{"a", "oops", "trace", "end", "b"}},
		{Device: "hvc0", Bytes: 9, Lines: []string{"# ", "oops", "trace", "end", "a", "b"}},
	}}
	var text strings.Builder
	if err := run.WriteDetails(&text); err != nil {
		t.Fatal(err)
	}
	want := "--- the last lines of ttyS0 (9 bytes in all)\na\noops\ntrace\nend\nb\n" +
		"--- the last lines of hvc0 (9 bytes in all)\n# \n… 3 lines that are also on ttyS0\na\nb\n---\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
}

func TestStatistics(t *testing.T) {
	with := func(took time.Duration, err error) report.Run {
		return report.Run{ToLogin: took, Results: []report.Result{{Name: "a", Duration: took, Err: err}, {Name: "b", Skipped: "why"}}}
	}
	for _, test := range []struct {
		name string
		runs []report.Run
		want report.Statistics
	}{
		{"none", nil, report.Statistics{}},
		{
			"an odd number", []report.Run{with(3*ms, nil), with(1*ms, nil), with(8*ms, nil)},
			report.Statistics{Runs: 3, Passed: 3, ToLogin: report.Spread{Min: 1 * ms, Median: 3 * ms, Max: 8 * ms}, Checks: []report.CheckStatistics{
				{Name: "a", Count: report.Count{Passed: 3}, Time: report.Spread{Min: 1 * ms, Median: 3 * ms, Max: 8 * ms}},
				{Name: "b", Count: report.Count{Skipped: 3}},
			}},
		},
		{
			"a failure's time does not count", []report.Run{with(4*ms, nil), with(100*ms, errors.New("x")), with(2*ms, nil)},
			report.Statistics{Runs: 3, Passed: 2, ToLogin: report.Spread{Min: 2 * ms, Median: 4 * ms, Max: 100 * ms}, Checks: []report.CheckStatistics{
				{Name: "a", Count: report.Count{Passed: 2, Failed: 1}, Flaky: true, Time: report.Spread{Min: 2 * ms, Median: 3 * ms, Max: 4 * ms}},
				{Name: "b", Count: report.Count{Skipped: 3}},
			}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, report.Report{Runs: test.runs}.Statistics()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPretty(t *testing.T) {
	results := []report.Result{{Name: "a", Duration: 1500 * ms}, {Name: "b", Err: errors.New("why\nand how")}, {Name: "c", Skipped: "no"}, {Name: "d", NotRun: "why"}}
	for _, test := range []struct {
		name   string
		pretty *report.Pretty
		want   string
	}{
		{"plain", &report.Pretty{}, "ok      1.50 s  a\nFAIL    0.00 s  b\n                why\n                and how\nskip            c (no)\nnot run         d (why)\n1 passed, 1 failed, 1 skipped, 1 not run in 3.2 s\n"},
		{
			"in color", &report.Pretty{Palette: color.All()},
			"\x1b[32mok  \x1b[0m    1.50 s  a\n\x1b[31mFAIL\x1b[0m    0.00 s  b\n                why\n                and how\n\x1b[33mskip\x1b[0m            c (no)\n\x1b[33mnot run\x1b[0m         d (why)\n" +
				"1 passed, \x1b[31m1 failed\x1b[0m, 1 skipped\x1b[33m, 1 not run\x1b[0m in 3.2 s\n",
		},
		{"without what has passed", &report.Pretty{Hide: func(r report.Result) bool { return r.Err == nil }}, "FAIL    0.00 s  b\n                why\n                and how\n1 passed, 1 failed, 1 skipped, 1 not run in 3.2 s\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var text strings.Builder
			test.pretty.W = &text
			for _, result := range results {
				test.pretty.Progress(result, false)
				test.pretty.Progress(result, true)
			}
			test.pretty.Close(report.Run{Results: results, Duration: 3200 * ms})
			if diff := cmp.Diff(test.want, text.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// screen is what several goroutines have written.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(data)
}

// next returns what was written since the last call.
func (s *screen) next() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.text.Reset()
	return s.text.String()
}

// On a terminal, a check that runs has a line with its time, cut at the terminal's width.
// Whatever is written replaces that line.
func TestPrettyOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const erase = "\r\x1b[K"
		var text screen
		pretty := report.Pretty{W: &text, Columns: 20}
		next := func(want string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, text.next()); diff != "" {
				t.Error(diff)
			}
		}
		pretty.Progress(report.Result{Name: "a long name"}, false)
		next(erase + "...      0.0 s  a l")
		time.Sleep(200 * ms)
		next(erase + "...      0.2 s  a l")
		pretty.Note("the guest restarted")
		next(erase + "the guest restarted\n")
		time.Sleep(200 * ms)
		next(erase + "...      0.4 s  a l")
		pretty.Progress(report.Result{Name: "a long name", Duration: 400 * ms}, true)
		next(erase + erase + "ok      0.40 s  a long name\n")
		pretty.Progress(report.Result{Name: "b"}, false)
		next(erase + "...      0.0 s  b")
		pretty.Close(report.Run{}) // interrupted
		next(erase + erase + "0 passed, 0 failed in 0.0 s\n")
	})
}

// Save leaves no temporary file beside the report.
func TestSave(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.xml")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := report.CheckPath(path); err != nil {
		t.Fatal(err)
	}
	if err := reports["hostile"].Save(path, "junit"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(string(text), "</testsuites>\n") {
		t.Errorf("%v: %s", err, text)
	}
	if err := reports["passed"].SaveAll(dir); err != nil {
		t.Fatal(err)
	}
	var names []string
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if diff := cmp.Diff([]string{"report.json", "report.tap", "report.txt", "report.xml"}, names); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestPathsThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:                              "",
		filepath.Join(dir, "new"):         "",
		dir:                               "exists and is not a regular file",
		link:                              "exists and is not a regular file",
		"/dev/stdout":                     "exists and is not a regular file",
		filepath.Join(dir, "no/report"):   "cannot be written to: ",
		filepath.Join(file, "report.xml"): "cannot be written to: not a folder",
		"":                                "invalid file name",
	} {
		err := report.CheckPath(path)
		if failed := err != nil; failed != (want != "") || failed && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", path, err, want)
		}
	}
}
