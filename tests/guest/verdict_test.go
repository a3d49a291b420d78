package guest

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// splat are commands by which a guest's kernel prints a warning.
func splat() string {
	var commands []string
	for _, line := range []string{
		"WARNING: CPU: 0 PID: 41 at drivers/fuzz.c:12 fuzz_open+0x10/0x20",
		"RIP: 0010:fuzz_open+0x10/0x20",
		"---[ end trace 0000000000000000 ]---",
	} {
		commands = append(commands, fmt.Sprintf("echo '<1>%s' >/dev/kmsg", line))
	}
	return strings.Join(commands, "; ")
}

// TestVerdict checks that run-test finds a warning of the kernel that no check notices, on ttyS0 and hvc0
// and in the output of dmesg, counts it once, and follows kernelLog.
// The kernel may print other lines after the warning, such as those of its clocks.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, rules string
		treatment   string
		status      int
	}{
		{"the demo fails", "", "fail", 1},
		{"a note", `{"warnings": "note"}`, "note", 0},
		{"allowed", `{"warnings": "fail", "allow": [{"match": "^warning in fuzz_open: ", "reason": "a test"}]}`, "allowed", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := demoWith(t, func(vm map[string]any) {
				vm["checks"] = []any{
					map[string]any{"name": "splat", "run": splat()},
					map[string]any{"name": "dmesg", "run": "dmesg | tail -n 50"},
				}
				if test.rules != "" {
					vm["kernelLog"] = json.RawMessage(test.rules)
				}
			})
			output, status := runTest(t, config, "--run", "^(splat|dmesg)$", "--format", "json")
			begin := strings.Index(output, "{")
			var report struct {
				Runs []struct {
					Checks []struct{ Name, Result string }
					Kernel struct {
						Verdict string
						Events  []struct {
							Kind, Function, Console, Treatment string
							Copies                             []struct{ Console string }
						}
					}
				}
			}
			if err := json.NewDecoder(strings.NewReader(output[max(0, begin):])).Decode(&report); err != nil || len(report.Runs) != 1 {
				t.Fatalf("%v: %s", err, output)
			}
			run := report.Runs[0]
			want := map[int]string{0: "clean", 1: "broken"}[test.status]
			if status != test.status || run.Kernel.Verdict != want || len(run.Kernel.Events) != 1 {
				t.Fatalf("status %d:\n%s", status, output)
			}
			event := run.Kernel.Events[0]
			if event.Kind != "warning" || event.Function != "fuzz_open" || event.Console != "ttyS0" || event.Treatment != test.treatment {
				t.Errorf("%+v", event)
			}
			copies := map[string]int{}
			for _, place := range event.Copies {
				copies[place.Console]++
			}
			if copies["ttyS0"] != 1 || copies["hvc0"] != 1 { // dmesg, and the kernel on hvc0
				t.Errorf("%+v", event.Copies)
			}
			for _, check := range run.Checks[:2] {
				if check.Result != "passed" {
					t.Errorf("%+v", check)
				}
			}
		})
	}
}

// TestVerdictOfAFullDisk checks that the verdict is unknown if bytes of all consoles are missing,
// since the disk of the journals is full.
func TestVerdictOfAFullDisk(t *testing.T) {
	t.Parallel()
	if !harness.InOwnMounts(t) {
		return
	}
	config := demoWith(t, func(vm map[string]any) {
		vm["checks"] = []any{map[string]any{"name": "prints", "run": "seq 100000 >/dev/hvc0; seq 100000", "timeoutSeconds": 20}}
	})
	disk := filepath.Join(harness.OwnFolders(t), "disk")
	harness.Must(t, harness.Root, "mkdir", disk)
	harness.Must(t, harness.Root, "mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk)
	t.Cleanup(func() { harness.Must(t, harness.Root, "umount", "--lazy", disk) })
	harness.Setenv(t, "TMPDIR", disk)
	output, status := runTest(t, config, "--declared")
	if status != 1 || !strings.Contains(output, " the kernel's log is clean\n                unknown: ") {
		t.Errorf("status %d:\n%s", status, output)
	}
	for _, device := range []string{"ttyS0", "hvc0"} {
		if !strings.Contains(output, " bytes are missing on "+device+" before offset ") {
			t.Errorf("no missing bytes on %s:\n%s", device, output)
		}
	}
}
