package harness

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// EndpointLine is a line in which microvm-run prints where a console is served.
var EndpointLine = regexp.MustCompile(`(?m)^(\w+) +\w+ +tcp localhost:(\d+)`)

// StartDemo starts the demo and waits until it has printed its endpoints.
func StartDemo(t *testing.T, args ...string) *Session {
	t.Helper()
	vm := Start(t, DemoProgram(t, "microvm-run"), args...)
	vm.Expect(EndpointLine.String(), 2)
	return vm
}

// Port returns the TCP port of a console of a running VM.
func (s *Session) Port(console string) string {
	s.T.Helper()
	text, _ := s.Printed()
	for _, line := range EndpointLine.FindAllStringSubmatch(text, -1) {
		if line[1] == console {
			return line[2]
		}
	}
	s.T.Fatalf("no port of %s in:\n%s", console, text)
	return ""
}

// Connect connects nc to a console.
func Connect(t *testing.T, port string) *Session {
	t.Helper()
	return Start(t, "nc.openbsd", "127.0.0.1", port)
}

// Login logs in and returns when the guest's shell computes.
func Login(terminal *Session) {
	terminal.T.Helper()
	terminal.Expect(`login: `, 1)
	terminal.Send("root\n")
	terminal.Expect(`# `, 1)
	terminal.Send("echo R-$((6*7))\n")
	terminal.Expect(`R-42`, 1) // the kernel may print behind it
}

// Shell logs in at a console's socket and keeps the kernel from printing there.
func Shell(t *testing.T, socket string) *Session {
	t.Helper()
	terminal := Start(t, "nc.openbsd", "-U", socket)
	Login(terminal)
	terminal.Send("dmesg -n 1; echo Q-$((6*7))\n")
	terminal.Expect(`Q-42\r?\n.*# `, 1)
	return terminal
}

// ChangedDemo is a demo's vm.json with a change.
func ChangedDemo(t *testing.T, demo string, change func(machine map[string]any)) string {
	t.Helper()
	var machine map[string]any
	text, err := os.ReadFile(filepath.Join(demo, "share", "microvm", "vm.json"))
	if err == nil {
		err = json.Unmarshal(text, &machine)
	}
	if err != nil {
		t.Fatal(err)
	}
	change(machine)
	if text, err = json.Marshal(machine); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "vm.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// OwnFolders gives the commands of the test a run dir of their own, short enough for a
// socket.
func OwnFolders(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "microvm-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	Setenv(t, "XDG_RUNTIME_DIR", dir)
	Setenv(t, "XDG_STATE_HOME", filepath.Join(dir, "state"))
	return dir
}

// FreePort returns a port on localhost that the kernel has just had free.
func FreePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// DemoWithFields is the demo's vm.json with other fields.
func DemoWithFields(t *testing.T, fields map[string]any) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Build(t, "console-demo"), "share/microvm/vm.json"))
	machine := map[string]any{}
	if err == nil {
		err = json.Unmarshal(text, &machine)
	}
	for name, value := range fields {
		if machine[name] = value; value == nil {
			delete(machine, name)
		}
	}
	if err == nil {
		text, err = json.Marshal(machine)
	}
	path := filepath.Join(t.TempDir(), "vm.json")
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
