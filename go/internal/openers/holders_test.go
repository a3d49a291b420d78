package openers_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"microvm-console/internal/openers"
	"microvm-console/internal/rundir"
)

// For a child of a process that has a FIFO open, the parent is a holder: it may be a
// launcher, or become QEMU by exec. A service manager as the parent is not a holder.
func TestParentIsAHolder(t *testing.T) {
	if path := os.Getenv("OPENERS_TEST_FIFO"); path != "" { // the child
		if holders, _ := openers.HoldersAt(path); len(holders) != 1 || holders[0] != os.Getppid() {
			t.Errorf("no parent among the holders: %d", holders)
		}
		return
	}
	path := t.TempDir() + "/fifo"
	fifo, err := rundir.OpenFIFO(path)
	if err != nil {
		t.Fatal(err)
	}
	defer fifo.Close()
	for _, test := range []struct {
		manager, executed string // values of NOTIFY_SOCKET and SYSTEMD_EXEC_PID
		counts            bool
	}{
		{"", "", true},
		{"/run/a-manager", "", false},
		{"/run/a-manager", strconv.Itoa(os.Getpid()), true}, // the parent is the service's main process
	} {
		child := exec.Command(os.Args[0], "-test.run=^TestParentIsAHolder$")
		child.Env = append(os.Environ(), "OPENERS_TEST_FIFO="+path, "NOTIFY_SOCKET="+test.manager, "SYSTEMD_EXEC_PID="+test.executed)
		out, err := child.CombinedOutput()
		if saw := err == nil; saw != test.counts {
			t.Errorf("%+v: %v\n%s", test, err, out)
		} else if err != nil && !strings.Contains(string(out), "no parent among the holders: []") {
			t.Errorf("%s", out)
		}
	}
}
