package relay

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestRunQEMUReportsAPanic boots a kernel without a root file system, which panics and prints only
// to its second serial port. run-qemu has connected that to the channel com2, reports the panic,
// and has the relay record it.
func TestRunQEMUReportsAPanic(t *testing.T) {
	t.Parallel()
	dir := harness.OwnFolders(t)
	var vm struct{ Kernel, QEMU string }
	text := harness.ReadFile(t, filepath.Join(harness.Build(t, "console-demo"), "share", "microvm", "vm.json"))
	if err := json.Unmarshal([]byte(text), &vm); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config.json")
	harness.WriteFile(t, config, `{"directory": "`+dir+`", "channels": {"com2": {}, "monitor": {"enable": false}}}`)
	harness.Setenv(t, "QEMU_RELAY_CONFIG", config)
	harness.Setenv(t, "QEMU", vm.QEMU)
	run := harness.Start(t, harness.Tool(t, "run-qemu"), "-accel", "tcg", "-cpu", "max", "-m", "256M", "-nodefaults", "-no-reboot",
		"-kernel", vm.Kernel, "-append", "console=ttyS1,115200 no_timer_check panic=-1")
	if status := run.Status(); status != 0 {
		t.Errorf("status %d, want QEMU's, which is 0", status)
	}
	run.Expect(`run-qemu: guest panicked: Kernel panic - not syncing: VFS: `, 1)
	if printed := harness.ReadFile(t, filepath.Join(dir, "qemu-com2.log")); !strings.Contains(printed, "Kernel panic - not syncing: VFS: ") {
		t.Errorf("com2 printed %q", printed)
	}
	for _, channel := range []string{"serial", "com2", "debugcon"} {
		boots := harness.ReadFile(t, filepath.Join(dir, "state", "qemu-relay", channel, "boots"))
		if !strings.Contains(boots, `"how":"panicked: Kernel panic - not syncing: VFS: `) {
			t.Errorf("%s: the boots are %q", channel, boots)
		}
	}
}
