package guest

import (
	"encoding/json"
	"strings"
	"testing"
)

// kselftest are commands that print results as kselftest's runner does, while the kernel prints.
var kselftest = strings.Join([]string{
	"echo TAP version 13", "echo 1..3",
	"echo '# timeout set to 45'", "echo '# selftests: net: a.sh'", "echo '<4>net: one' >/dev/kmsg", "echo 'ok 1 selftests: net: a.sh'",
	"echo '<4>net: two' >/dev/kmsg", "echo '# no route'", "echo 'not ok 2 selftests: net: b.sh # exit=1'",
	"echo 'ok 3 selftests: net: c.sh # SKIP'",
}, "; ")

// TestKTAP checks that run-test reports each test that a guest prints in KTAP, on a console on
// which the kernel prints too, by the agent and by a shell.
func TestKTAP(t *testing.T) {
	t.Parallel()
	config := demoWith(t, func(vm map[string]any) {
		vm["checks"] = []any{
			map[string]any{"name": "net", "ktap": true, "run": kselftest},
			map[string]any{"name": "prints", "console": "console", "run": kselftest},
			map[string]any{"name": "boot", "ktap": true, "console": "console"},
		}
	})
	output, status := runTest(t, config, "--run", "^(net|boot|prints)$", "--format", "json")
	var report struct {
		Runs []struct {
			Checks []struct{ Name, Result string }
		}
	}
	if err := json.NewDecoder(strings.NewReader(output[max(0, strings.Index(output, "{")):])).Decode(&report); err != nil || len(report.Runs) != 1 {
		t.Fatalf("%v: %s", err, output)
	}
	got := map[string]string{}
	for _, check := range report.Runs[0].Checks {
		got[check.Name] = check.Result
	}
	for name, want := range map[string]string{
		"net": "failed", "net / selftests: net: a.sh": "passed", "net / selftests: net: b.sh": "failed", "net / selftests: net: c.sh": "skipped",
		"boot": "failed", "boot / selftests: net: a.sh": "passed", "boot / selftests: net: b.sh": "failed", "boot / selftests: net: c.sh": "skipped",
		"prints": "passed",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if status != 1 || t.Failed() {
		t.Errorf("status %d:\n%s", status, output)
	}
}
