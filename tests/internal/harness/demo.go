package harness

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"testing"
)

// EndpointLine matches the line that microvm-run prints for the endpoint of a console.
var EndpointLine = regexp.MustCompile(`(?m)^(\w+) +\w+ +tcp localhost:(\d+)`)

// StartDemo starts the demo and waits until it has printed its endpoints.
func StartDemo(t *testing.T, args ...string) *Session {
	t.Helper()
	vm := Start(t, DemoProgram(t, "microvm-run"), args...)
	vm.Expect(EndpointLine.String(), 2)
	return vm
}

// Port returns the TCP port of a console of a VM that has printed its endpoints.
func (s *Session) Port(console string) string {
	s.T.Helper()
	text := s.Printed()
	for _, line := range EndpointLine.FindAllStringSubmatch(text, -1) {
		if line[1] == console {
			return line[2]
		}
	}
	s.T.Fatalf("no port for %s in:\n%s", console, text)
	return ""
}

// Connect connects nc to a port of localhost.
func Connect(t *testing.T, port string) *Session {
	t.Helper()
	return Start(t, "nc.openbsd", "127.0.0.1", port)
}

// Login logs in to a guest and waits until its shell has run a command.
func Login(terminal *Session) {
	terminal.T.Helper()
	terminal.Expect(`login: `, 1)
	terminal.Send("root\n")
	terminal.Expect(`# `, 1)
	terminal.Send("echo R-$((6*7))\n")
	terminal.Expect(`R-42`, 1) // the kernel may print on the same line
}

// Shell logs in through the socket of a console and stops the kernel's messages there.
func Shell(t *testing.T, socket string) *Session {
	t.Helper()
	terminal := Start(t, "nc.openbsd", "-U", socket)
	Login(terminal)
	terminal.Send("dmesg -n 1; echo Q-$((6*7))\n")
	terminal.Expect(`Q-42\r?\n.*# `, 1)
	return terminal
}

// ChangedVM writes a changed copy of the vm.json of demo, a store path, and returns the path
// of the copy.
func ChangedVM(t *testing.T, demo string, change func(vm map[string]any)) string {
	t.Helper()
	var vm map[string]any
	if err := json.Unmarshal([]byte(ReadFile(t, filepath.Join(demo, "share", "microvm", "vm.json"))), &vm); err != nil {
		t.Fatal(err)
	}
	change(vm)
	text, err := json.Marshal(vm)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "vm.json")
	WriteFile(t, path, string(text))
	return path
}

// DemoWith is ChangedVM for the demo with the given fields. A field that is nil is removed.
func DemoWith(t *testing.T, fields map[string]any) string {
	t.Helper()
	return ChangedVM(t, Build(t, "console-demo"), func(vm map[string]any) {
		for name, value := range fields {
			if vm[name] = value; value == nil {
				delete(vm, name)
			}
		}
	})
}
