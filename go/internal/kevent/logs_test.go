package kevent

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden is an event of a file testdata/logs/NAME.json. Function, CPU and Time are compared
// only if the file has them.
type golden struct {
	Kind     Kind     `json:"kind"`
	Title    string   `json:"title"`
	Function *string  `json:"function"`
	Time     *float64 `json:"time"`
	CPU      *int     `json:"cpu"`
	Task     string   `json:"task"`
	Begin    int64    `json:"begin"`
	End      int64    `json:"end"`
}

// TestLogs compares the events of each log of testdata/logs with the golden ones, whatever
// the pieces in which the log comes.
func TestLogs(t *testing.T) {
	files, err := filepath.Glob("testdata/logs/*.log")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 60 {
		t.Fatalf("%d logs, want at least 60", len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".log")
		t.Run(name, func(t *testing.T) {
			log, want := readLog(t, file)
			for _, piece := range []int{1, 1000, len(log)} {
				compareEvents(t, log, scanPieces(log, piece), want)
				if t.Failed() {
					return
				}
			}
		})
	}
}

func readLog(t *testing.T, file string) (log []byte, want []golden) {
	t.Helper()
	log, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(strings.TrimSuffix(file, ".log") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&want); err != nil {
		t.Fatal(err)
	}
	return log, want
}

// scanPieces returns the events of a log that comes in pieces of the given size.
func scanPieces(log []byte, size int) []Event {
	s := NewScanner(0)
	var events []Event
	for rest := log; len(rest) > 0; {
		n := min(size, len(rest))
		events = append(events, s.Feed(rest[:n])...)
		rest = rest[n:]
	}
	return append(events, s.Close()...)
}

func compareEvents(t *testing.T, log []byte, got []Event, want []golden) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(want) {
			t.Errorf("event %d: %s %q at byte %d, want none", i, got[i].Kind, got[i].Title, got[i].Begin)
			continue
		}
		if i >= len(got) {
			t.Errorf("event %d: missing, want %s %q", i, want[i].Kind, want[i].Title)
			continue
		}
		compareEvent(t, log, got[i], want[i])
	}
}

func compareEvent(t *testing.T, log []byte, got Event, want golden) {
	t.Helper()
	if got.Kind != want.Kind {
		t.Errorf("%q: kind %s, want %s", want.Title, got.Kind, want.Kind)
	}
	if got.Title != want.Title {
		t.Errorf("title %q, want %q", got.Title, want.Title)
	}
	if want.Function != nil && got.Function != *want.Function {
		t.Errorf("%q: function %q, want %q", want.Title, got.Function, *want.Function)
	}
	// The lines of a report may have times that differ by milliseconds.
	if want.Time != nil && (got.Time == nil || math.Abs(*got.Time-*want.Time) > 0.1) {
		t.Errorf("%q: time %v, want %f", want.Title, got.Time, *want.Time)
	}
	if want.CPU != nil && (got.CPU == nil || *got.CPU != *want.CPU) {
		t.Errorf("%q: CPU %v, want %d", want.Title, got.CPU, *want.CPU)
	}
	if want.Task != "" && got.Task != want.Task {
		t.Errorf("%q: task %q, want %q", want.Title, got.Task, want.Task)
	}
	if got.Begin != want.Begin {
		t.Errorf("%q: begins with %q, want %q", want.Title, lineAt(log, got.Begin), lineAt(log, want.Begin))
	}
	if got.End != want.End {
		t.Errorf("%q: %q follows, want %q", want.Title, lineAt(log, got.End), lineAt(log, want.End))
	}
}

// lineAt returns the rest of the line at an offset.
func lineAt(log []byte, offset int64) string {
	line, _, _ := strings.Cut(string(log[offset:]), "\n")
	return line
}

// BenchmarkScan scans a boot without reports, and all logs one after the other.
func BenchmarkScan(b *testing.B) {
	for _, pattern := range []string{"clean-boot.log", "*.log"} {
		files, err := filepath.Glob(filepath.Join("testdata/logs", pattern))
		if err != nil {
			b.Fatal(err)
		}
		var logs []byte
		for _, file := range files {
			log, err := os.ReadFile(file)
			if err != nil {
				b.Fatal(err)
			}
			logs = append(logs, log...)
		}
		b.Run(pattern, func(b *testing.B) {
			b.SetBytes(int64(len(logs)))
			for b.Loop() {
				scanPieces(logs, 64<<10)
			}
		})
	}
}
