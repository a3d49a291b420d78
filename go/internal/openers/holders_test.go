package openers_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"microvm-console/internal/openers"
	"microvm-console/internal/rundir"
)

// A child of the process that has a FIFO open counts its parent among the holders: it
// may be a launcher, or become QEMU by exec. Under a service manager it does not.
func TestAParentHoldsAFIFO(t *testing.T) {
	if path := os.Getenv("OPENERS_TEST_FIFO"); path != "" { // this is the child
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
	for _, manager := range []string{"", "/run/a-manager"} {
		child := exec.Command(os.Args[0], "-test.run=^TestAParentHoldsAFIFO$")
		child.Env = append(os.Environ(), "OPENERS_TEST_FIFO="+path, "NOTIFY_SOCKET="+manager)
		out, err := child.CombinedOutput()
		if saw := err == nil; saw != (manager == "") {
			t.Errorf("manager %q: %v\n%s", manager, err, out)
		} else if err != nil && !strings.Contains(string(out), "no parent among the holders: []") {
			t.Errorf("%s", out)
		}
	}
}
