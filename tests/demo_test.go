package tests

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
)

// endpoint is a line in which microvm-run prints where a console is served.
var endpoint = regexp.MustCompile(`(?m)^(\w+) +\w+ +tcp localhost:(\d+)`)

// running starts the demo and waits until it has printed its endpoints.
func running(t *testing.T, args ...string) *session {
	t.Helper()
	vm := start(t, program(t, "microvm-run"), args...)
	vm.expect(endpoint.String(), 2)
	return vm
}

// port returns the TCP port of a console of a running VM.
func (s *session) port(console string) string {
	s.t.Helper()
	text, _ := s.look()
	for _, line := range endpoint.FindAllStringSubmatch(text, -1) {
		if line[1] == console {
			return line[2]
		}
	}
	s.t.Fatalf("no port of %s in:\n%s", console, text)
	return ""
}

// connect connects nc to a console.
func connect(t *testing.T, port string) *session {
	t.Helper()
	return start(t, "nc.openbsd", "127.0.0.1", port)
}

// login logs in and returns when the guest's shell computes.
func login(terminal *session) {
	terminal.t.Helper()
	terminal.expect(`login: `, 1)
	terminal.send("root\n")
	terminal.expect(`# `, 1)
	terminal.send("echo R-$((6*7))\n")
	terminal.expect(`R-42`, 1) // the kernel may print behind it
}

func TestRunTestOnEachMachineType(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			private(t)
			output := must(t, root, program(t, "run-test"), "--machine", kind)
			if !strings.Contains(output, "13 passed, 0 failed") || !strings.Contains(output, "machine type "+kind) {
				t.Error(output)
			}
		})
	}
}

// The demo by hand: both consoles through nc, a test beside it, a second start,
// a guest's own restart and its end.
func TestByHand(t *testing.T) {
	private(t)
	vm := running(t)
	serial, console := connect(t, "4440"), connect(t, "4441")
	login(serial)
	login(console)

	output := must(t, root, program(t, "run-test")) // 4440 and 4441 are taken
	if !strings.Contains(output, "13 passed, 0 failed") {
		t.Error(output)
	}
	second := start(t, program(t, "microvm-run"))
	if status := second.status(); status != 1 {
		t.Errorf("a second start of the same name has status %d", status)
	}
	second.expect(`microvm-run: vm "console-demo": already running \(by pid `+strconv.Itoa(vm.run.Process.Pid)+`; `, 1)
	other := start(t, program(t, "microvm-run"), "--name", "other")
	if status := other.status(); status != 1 {
		t.Errorf("a start on taken ports has status %d", status)
	}
	other.expect(`microvm-run: console "serial": listen .*:4440: .+ \(by pid \d+, "microvm-run"; choose another port, or --auto-ports\)`, 1)

	serial.send("reboot\n")
	console.expect(`login: `, 2)
	console.send("root\n")
	console.expect(`# `, 3)
	console.send("poweroff\n")
	if status := vm.status(); status != 0 {
		t.Errorf("a guest that powered off has status %d", status)
	}
	vm.expect(`ended: powered off`, 1)
}

// Both consoles through the clients: history first, several at once, plain pipes,
// and the status; and what is kept once the VM has ended.
func TestConsoles(t *testing.T) {
	t.Parallel()
	private(t)
	vm := running(t, "--auto-ports")
	login(connect(t, vm.port("console")))
	serial := start(t, program(t, "connect-serial"))
	serial.expect(`Linux version`, 1)
	login(serial)
	watcher := start(t, program(t, "connect-serial"), "--read-only")
	watcher.expect(`R-42`, 1) // the kernel may print behind it
	output := must(t, root, "bash", "-c", "echo 'echo K-$((6*7))' | "+program(t, "connect-console")+" --from now --timeout 5s")
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
	text := must(t, root, program(t, "console-status"), "--json")
	if err := json.Unmarshal([]byte(text), &status); err != nil || len(status.Consoles) != 2 {
		t.Fatalf("%v: %s", err, text)
	}
	for i, clients := range []int{2, 1} {
		relay := status.Consoles[i].Relay
		if !relay.Attached || !relay.Exact || relay.End == 0 || len(relay.Clients) != clients {
			t.Errorf("%s: %+v, want %d clients", status.Consoles[i].Device, relay, clients)
		}
	}
	must(t, root, program(t, "microvm-shutdown"))
	if code := vm.status(); code != 0 {
		t.Errorf("microvm-run has status %d", code)
	}
	if code := serial.status(); code != 0 {
		t.Errorf("connect-serial has status %d at the VM's end", code)
	}
}

// Without relays QEMU serves the ports, as people know it.
func TestNoRelay(t *testing.T) {
	t.Parallel()
	private(t)
	// QEMU cannot look for free ports, and others may take those of the demo.
	config := withFields(t, map[string]any{"consoles": []any{
		map[string]any{"name": "serial", "device": "ttyS0", "port": freePort(t)},
		map[string]any{"name": "console", "device": "hvc0", "port": freePort(t)},
	}})
	vm := running(t, "--config", config, "--no-relay")
	serial, console := connect(t, vm.port("serial")), connect(t, vm.port("console"))
	login(serial)
	login(console)
	serial.send("poweroff\n")
	if code := vm.status(); code != 0 {
		t.Errorf("microvm-run has status %d", code)
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	dir := private(t)
	vm := running(t, "--auto-ports")
	login(connect(t, vm.port("serial")))
	output := must(t, root, program(t, "microvm-shutdown"))
	if !regexp.MustCompile(`^console-demo: stopped by (agent|acpi) in `).MatchString(output) {
		t.Error(output)
	}
	if status := vm.status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "microvm")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A power button pressed while the guest boots is pressed again.
func TestShutdownEarlyInBoot(t *testing.T) {
	t.Parallel()
	private(t)
	vm := running(t, "--auto-ports")
	output := must(t, root, program(t, "microvm-shutdown"))
	if !regexp.MustCompile(`^console-demo: stopped by (agent|acpi) in `).MatchString(output) {
		t.Error(output)
	}
	if status := vm.status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
}

// Whatever kills microvm-run, its QEMU goes with it, and the next start works.
func TestKilledOwner(t *testing.T) {
	t.Parallel()
	dir := private(t)
	vm := running(t, "--auto-ports")
	var state struct{ QEMUPID int }
	text, err := os.ReadFile(filepath.Join(dir, "microvm", "console-demo", "state.json"))
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil || state.QEMUPID == 0 {
		t.Fatalf("state.json: %v: %s", err, text)
	}
	if err := vm.run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	vm.status()
	for deadline := time.Now().Add(waitLimit); alive(state.QEMUPID); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("QEMU, pid %d, outlives its owner", state.QEMUPID)
		}
	}
	again := running(t, "--auto-ports")
	must(t, root, program(t, "microvm-shutdown"), "--force")
	if status := again.status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
}

// alive tells whether a process runs; one that has ended and waits for its
// parent does not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}

// Ctrl-C stops the guest as microvm-shutdown does.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	private(t)
	vm := running(t, "--auto-ports")
	login(connect(t, vm.port("console")))
	if err := vm.run.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if status := vm.status(); status != 0 {
		t.Errorf("microvm-run has status %d", status)
	}
	vm.expect(`ended: stopped by (agent|acpi) in `, 1)
	if conn, err := net.Dial("tcp", "127.0.0.1:"+vm.port("serial")); err == nil {
		conn.Close()
		t.Error("its port is still served")
	}
}
