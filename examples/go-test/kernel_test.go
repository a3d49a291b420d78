// Package kernel has tests that boot a kernel and talk to it.
package kernel

import (
	"crypto/rand"
	"errors"
	"fmt"
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

// start boots the VM of MICROVM_CONFIG. The end of the test calls stop.
func start(t *testing.T) vm {
	t.Helper()
	vm := vm{t: t, name: "go-" + strings.ToLower(rand.Text()), dir: t.TempDir()}
	vm.run("microvm-run", "--auto-ports", "--detach", "--timeout", "2m")
	t.Cleanup(vm.stop)
	return vm
}

// stop stops the VM. The test fails if the kernel has reported a bug.
func (vm vm) stop() {
	_, err := vm.output("microvm-shutdown")
	var exit *exec.ExitError
	ended := errors.As(err, &exit) && exit.ExitCode() == 3 // the VM has ended, as after a panic
	if err != nil && !ended {
		vm.t.Error(err)
	}
	if verdict, err := vm.output("console-log", "--verdict"); err != nil {
		vm.t.Errorf("%v\n%s", err, verdict)
	}
	if vm.t.Failed() {
		lines, _ := vm.output("console-log", "--tail", "40", "serial") // prints its own error
		vm.t.Logf("the last lines of the serial port:\n%s", lines)
	}
}

// run runs a program on the VM and returns its output. The test fails if the program does.
func (vm vm) run(program string, args ...string) string {
	vm.t.Helper()
	output, err := vm.output(program, args...)
	if err != nil {
		vm.t.Fatal(err)
	}
	return output
}

// output runs a program on the VM and returns its output, with line ends as "\n".
func (vm vm) output(program string, args ...string) (string, error) {
	config := os.Getenv("MICROVM_CONFIG")
	command := exec.Command(program, append([]string{"--config", config, "--name", vm.name}, args...)...)
	command.Dir = filepath.Dir(config) // where the relative paths of vm.json start
	command.Env = append(os.Environ(), "XDG_STATE_HOME="+vm.dir)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%v: %w", command, err)
	}
	return strings.ReplaceAll(string(output), "\r\n", "\n"), err
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
