package guest

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// TestTwoAtOnce checks that two guests with the same name, ports and forwarded port are tested at
// the same time: one passes, and the other panics.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	network := map[string]any{"type": "user", "forward": []any{map[string]any{"host": 18022, "guest": 22}}}
	good := demoWith(t, func(vm map[string]any) { vm["network"] = network })
	bad := demoWith(t, func(vm map[string]any) {
		vm["network"] = network
		vm["checks"] = []any{map[string]any{"name": "tty is a panic", "run": "echo c >/proc/sysrq-trigger"}}
	})
	dir := t.TempDir()
	file, artifacts := filepath.Join(dir, "report.json"), filepath.Join(dir, "artifacts")
	output, err := harness.Command(t, harness.Root, harness.Tool(t, "run-test"),
		"--jobs", "2", "--run", "^tty", "--format", "json", "--output", file, "--artifacts", artifacts, good, bad)
	if status := exitStatus(t, err); status != 4 {
		t.Errorf("status %d:\n%s", status, output)
	}
	var report struct {
		Runs []struct {
			Machine, VM string
			Passed      bool
			Started     time.Time
			Seconds     float64
		}
	}
	if err := json.Unmarshal([]byte(harness.ReadFile(t, file)), &report); err != nil || len(report.Runs) != 2 {
		t.Fatalf("%v: %+v", err, report)
	}
	first, second := report.Runs[0], report.Runs[1]
	if first.Machine != "console-demo" || !first.Passed || second.Machine != "console-demo-2" || second.Passed || first.VM == second.VM {
		t.Errorf("%+v", report)
	}
	if ended := first.Started.Add(time.Duration(first.Seconds * float64(time.Second))); !second.Started.Before(ended) {
		t.Errorf("the second run started at %v, after the end of the first one at %v", second.Started, ended)
	}
	harness.ReadFile(t, filepath.Join(artifacts, "console-demo-2-run-1", "serial.log"))
	harness.ReadFile(t, filepath.Join(artifacts, "report.xml"))
}
