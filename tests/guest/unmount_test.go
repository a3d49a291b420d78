package guest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// busyDisk is the start script of the guest. It starts a program that writes to the disk all the
// time, and one that ignores SIGTERM and has a file there open for writing.
const busyDisk = `(trap "" TERM; exec sleep 100000) >/data/file &
while :; do
	i=$((i+1))
	cp /bin/busybox /data/copy$((i % 4))
	echo $i >>/data/log
	[ $i != 8 ] || echo "the disk is $((6*7))"
done
`

// TestDisksAreClean stops a guest that writes to its disk in each way, three times with the same
// disk, or 20 times with --all. After each stop, the file system needs neither a check nor its
// journal.
func TestDisksAreClean(t *testing.T) {
	t.Parallel()
	// On a busy host, the guest takes long to end.
	shutdown := []string{"microvm-shutdown", "--timeout", harness.WaitLimit.String()}
	ways := []struct {
		name    string
		agent   bool
		command []string
	}{
		{"by the agent", true, shutdown},
		{"by the power button", false, shutdown},
		{"by poweroff", true, []string{"microvm-exec", "--", "poweroff"}},
	}
	stops := len(ways)
	if *harness.All {
		stops = 20
	}
	folder := diskVM(t, []any{ownDisk}, map[string]any{"machine": "q35"}, busyDisk)
	for i := range stops {
		way := ways[i%len(ways)]
		t.Run(fmt.Sprintf("%d-%s", i+1, strings.ReplaceAll(way.name, " ", "-")), func(t *testing.T) {
			args := []string{"--accel", accelerator(), "--auto-ports"}
			if !way.agent {
				args = append(args, "--")
				for _, arg := range noAgent {
					args = append(args, arg.(string))
				}
			}
			vm := harness.Start(t, "microvm-run", args...)
			vm.Expect(`console  hvc0`, 1)
			harness.Start(t, "connect-console", "--read-only").Expect("the disk is 42", 1)
			output, err := harness.Command(t, folder, way.command[0], way.command[1:]...)
			t.Log(output, err) // the VM may end before microvm-exec receives the status of poweroff
			if status := vm.Status(); status != 0 {
				t.Errorf("microvm-run has status %d", status)
			}
			checkClean(t, filepath.Join(folder, "state/microvm/console-demo/data.raw"))
		})
	}
}

// checkClean fails the test unless the file system of a disk was unmounted and has no mistakes.
func checkClean(t *testing.T, disk string) {
	t.Helper()
	checked, err := harness.Command(t, harness.Root, "fsck.ext4", "-fn", disk)
	header := harness.Must(t, harness.Root, "dumpe2fs", "-h", disk)
	if err != nil || !strings.Contains(header, "has_journal") || strings.Contains(header, "needs_recovery") || !strings.Contains(header, " clean\n") {
		t.Errorf("the disk is not clean: %v\n%s\n%s", err, checked, header)
	}
}
