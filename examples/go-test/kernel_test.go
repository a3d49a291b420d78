// Package kernel has tests that boot a kernel and talk to it.
package kernel

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// vm is a running VM, for one test.
type vm struct {
	t    *testing.T
	name string // of its own, so that tests may run in parallel
	dir  string // of its journals
}

// start boots the VM of MICROVM_CONFIG. The end of the test stops it.
func start(t *testing.T) vm {
	t.Helper()
	vm := vm{t: t, name: "go-" + strings.ToLower(rand.Text()), dir: t.TempDir()}
	vm.run("microvm-run", "--auto-ports", "--detach", "--timeout", "2m")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(vm.run("console-log", "--tail", "40", "serial"))
		}
		vm.run("microvm-shutdown")
	})
	return vm
}

// run runs a program on the VM and returns its output.
func (vm vm) run(program string, args ...string) string {
	vm.t.Helper()
	config := os.Getenv("MICROVM_CONFIG")
	command := exec.Command(program, append([]string{"--config", config, "--name", vm.name}, args...)...)
	command.Dir = filepath.Dir(config) // where the relative paths of vm.json start
	command.Env = append(os.Environ(), "XDG_STATE_HOME="+vm.dir)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		vm.t.Fatalf("%v: %v", command, err)
	}
	return strings.ReplaceAll(string(output), "\r\n", "\n")
}

func TestCommand(t *testing.T) {
	t.Parallel()
	if got := start(t).run("microvm-exec", "--", "uname", "-s"); got != "Linux\n" {
		t.Errorf("uname -s printed %q", got)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	vm := start(t)
	vm.run("connect-serial", "--expect", "login: ", "--send", "root", "--expect", "# ")
	got := vm.run("connect-serial", "--send", "echo $((6*7))", "--expect", "^42$")
	if !strings.HasSuffix(got, "\n42\n") {
		t.Errorf("the shell printed %q", got)
	}
}
