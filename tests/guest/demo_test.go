package guest

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// accelerated matches the line of a start on a machine type, whatever the accelerator.
func accelerated(machineType string) *regexp.Regexp {
	return regexp.MustCompile(`(?m): (emulated \(TCG\)|KVM), ` + machineType + `\b`)
}

func TestRunTestOnEachMachineType(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			harness.OwnFolders(t)
			output := harness.Must(t, harness.Root, harness.DemoProgram(t, "run-test"), "--machine", kind)
			if !strings.Contains(output, "14 passed, 0 failed") || !accelerated(kind).MatchString(output) {
				t.Error(output)
			}
		})
	}
}

// TestByHand uses the demo as a user does: both consoles through nc, run-test and a second
// start while it runs, a restart by the guest and its poweroff.
func TestByHand(t *testing.T) {
	harness.OwnFolders(t)
	vm := harness.StartDemo(t)
	serial, console := harness.Connect(t, "4440"), harness.Connect(t, "4441")
	harness.Login(serial)
	harness.Login(console)

	output := harness.Must(t, harness.Root, harness.DemoProgram(t, "run-test")) // 4440 and 4441 are taken
	if !strings.Contains(output, "14 passed, 0 failed") {
		t.Error(output)
	}
	second := harness.Start(t, harness.DemoProgram(t, "microvm-run"))
	if status := second.Status(); status != 1 {
		t.Errorf("a second start of the same name has status %d", status)
	}
	second.Expect(`microvm-run: vm "console-demo": already running \(by pid `+strconv.Itoa(vm.Cmd.Process.Pid)+`; `, 1)
	other := harness.Start(t, harness.DemoProgram(t, "microvm-run"), "--name", "other")
	if status := other.Status(); status != 1 {
		t.Errorf("a start on taken ports has status %d", status)
	}
	other.Expect(`microvm-run: console "serial": listen .*:4440: .+ \(by pid \d+, "microvm-run"; choose another port, or --auto-ports\)`, 1)

	serial.Send("reboot\n")
	console.Expect(`login: `, 2)
	console.Send("root\n")
	console.Expect(`# `, 3)
	console.Send("poweroff\n")
	if status := vm.Status(); status != 0 {
		t.Errorf("a guest that powered off has status %d", status)
	}
	vm.Expect(`ended: powered off`, 1)
}

// TestConsoles uses both consoles through the clients: history first, several clients at once,
// pipes, the status, and the log of the VM that has ended.
func TestConsoles(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	vm := harness.StartDemo(t, "--auto-ports")
	harness.Login(harness.Connect(t, vm.Port("console")))
	serial := harness.Start(t, harness.DemoProgram(t, "connect-serial"))
	serial.Expect(`Linux version`, 1)
	harness.Login(serial)
	watcher := harness.Start(t, harness.DemoProgram(t, "connect-serial"), "--read-only")
	watcher.Expect(`R-42`, 1) // the kernel may print on the same line
	output := harness.Must(t, harness.Root, "bash", "-c", "echo 'echo K-$((6*7))' | "+harness.DemoProgram(t, "connect-console")+" --from now --timeout 5s")
	if !strings.Contains(output, "K-42") {
		t.Errorf("connect-console in a pipe: %q", output)
	}
	var status struct {
		Consoles []struct {
			Device string
			Relay  struct {
				Attached, Exact bool
				End             int64
				Clients         []struct{ Kind string }
			}
		}
	}
	text := harness.Must(t, harness.Root, harness.DemoProgram(t, "console-status"), "--json")
	if err := json.Unmarshal([]byte(text), &status); err != nil || len(status.Consoles) != 2 {
		t.Fatalf("%v: %s", err, text)
	}
	for i, clients := range []int{2, 1} {
		relay := status.Consoles[i].Relay
		if !relay.Attached || !relay.Exact || relay.End == 0 || len(relay.Clients) != clients {
			t.Errorf("%s: %+v, want %d clients", status.Consoles[i].Device, relay, clients)
		}
	}
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	if code := vm.Status(); code != 0 {
		t.Errorf("microvm-run has status %d", code)
	}
	if code := serial.Status(); code != 0 {
		t.Errorf("connect-serial has status %d at the end of the VM", code)
	}
	boots := harness.Must(t, harness.Root, harness.DemoProgram(t, "console-log"), "--list", "ttyS0")
	if !regexp.MustCompile(`(?m)^0 +1 .* stopped by agent$`).MatchString(boots) {
		t.Errorf("console-log lists\n%s", boots)
	}
	for _, at := range status.Consoles {
		if log := harness.Must(t, harness.Root, harness.DemoProgram(t, "console-log"), at.Device); int64(len(log)) < at.Relay.End || !strings.Contains(log, "login:") {
			t.Errorf("console-log prints %d bytes of %s, want at least %d", len(log), at.Device, at.Relay.End)
		}
	}
}

// TestNoRelay has QEMU serve the ports itself.
func TestNoRelay(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	// QEMU cannot choose free ports, and other tests may use those of the demo.
	config := harness.DemoWith(t, map[string]any{"consoles": []any{
		map[string]any{"name": "serial", "device": "ttyS0", "port": harness.FreePort(t)},
		map[string]any{"name": "console", "device": "hvc0", "port": harness.FreePort(t)},
	}})
	vm := harness.StartDemo(t, "--config", config, "--no-relay")
	serial, console := harness.Connect(t, vm.Port("serial")), harness.Connect(t, vm.Port("console"))
	harness.Login(serial)
	harness.Login(console)
	serial.Send("poweroff\n")
	if code := vm.Status(); code != 0 {
		t.Errorf("microvm-run has status %d", code)
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	dir := harness.OwnFolders(t)
	vm := harness.StartDemo(t, "--auto-ports")
	harness.Login(harness.Connect(t, vm.Port("serial")))
	output := harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	if !regexp.MustCompile(`^console-demo: shut down by the (guest agent|power button) in `).MatchString(output) {
		t.Error(output)
	}
	if status := vm.Status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "microvm")); err != nil || len(left) != 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}

// TestShutdownEarlyInBoot checks that the power button is pressed again if the guest is booting.
func TestShutdownEarlyInBoot(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	vm := harness.StartDemo(t, "--auto-ports")
	output := harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	if !regexp.MustCompile(`^console-demo: shut down by the (guest agent|power button) in `).MatchString(output) {
		t.Error(output)
	}
	if status := vm.Status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
}

// TestKilledOwner kills microvm-run with SIGKILL: its QEMU ends too, and the next start works.
func TestKilledOwner(t *testing.T) {
	t.Parallel()
	dir := harness.OwnFolders(t)
	vm := harness.StartDemo(t, "--auto-ports")
	var state struct{ QEMUPID int }
	text, err := os.ReadFile(filepath.Join(dir, "microvm", "console-demo", "state.json"))
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil || state.QEMUPID == 0 {
		t.Fatalf("state.json: %v: %s", err, text)
	}
	if err := vm.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	vm.Status()
	for deadline := time.Now().Add(harness.WaitLimit); harness.Alive(state.QEMUPID); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("QEMU, pid %d, is still running without microvm-run", state.QEMUPID)
		}
	}
	again := harness.StartDemo(t, "--auto-ports")
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"), "--force")
	if status := again.Status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
}

// TestInterrupt checks that Ctrl-C stops the guest as microvm-shutdown does.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	vm := harness.StartDemo(t, "--auto-ports")
	harness.Login(harness.Connect(t, vm.Port("console")))
	if err := vm.Cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if status := vm.Status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
	vm.Expect(`ended: shut down by the (guest agent|power button) in `, 1)
	if conn, err := net.Dial("tcp", "127.0.0.1:"+vm.Port("serial")); err == nil {
		conn.Close()
		t.Error("its port is still served")
	}
}
