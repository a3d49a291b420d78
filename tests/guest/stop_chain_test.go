package guest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// spinner is a guest that prints a line and then loops with interrupts disabled, so that it
// reacts to nothing. It is a Multiboot kernel, which QEMU can start.
const spinner = `
	.code32
	.long 0x1BADB002, 0, -0x1BADB002
	.globl _start
_start:
	cli
	mov $0x3f8, %dx
	mov $'!', %al
	out %al, %dx
1:	jmp 1b
`

// assemble makes a kernel from assembler source, and returns its path.
func assemble(t *testing.T, text string) string {
	t.Helper()
	if _, err := exec.LookPath("as"); err != nil {
		harness.Skip(t, "as", "install binutils")
	}
	source := filepath.Join(t.TempDir(), "kernel.s")
	harness.WriteFile(t, source, text)
	harness.Must(t, harness.Root, "as", "--32", "-o", source+".o", source)
	harness.Must(t, harness.Root, "ld", "-m", "elf_i386", "-Ttext=0x100000", "-o", source+".elf", source+".o")
	return source + ".elf"
}

// noAgent has the arguments that connect the guest agent's port to nothing.
var noAgent = []any{"-chardev", "null,id=unused", "-device", "virtserialport,chardev=unused,name=org.qemu.guest_agent.0"}

// waitReady waits until the demo's guest is ready.
func waitReady(t *testing.T, _ *harness.Session) {
	t.Helper()
	harness.Must(t, harness.Root, harness.DemoProgram(t, "console-status"), "--wait-ready", "--timeout", harness.WaitLimit.String())
}

// waitAgent waits until the guest agent answers. A guest with a login prompt can be ready
// before that, and an agent that has not answered yet has little time to answer a stop.
func waitAgent(t *testing.T, _ *harness.Session) {
	t.Helper()
	for late := time.Now().Add(harness.WaitLimit); ; time.Sleep(10 * time.Millisecond) {
		text := harness.Must(t, harness.Root, harness.DemoProgram(t, "console-status"), "--json")
		switch {
		case strings.Contains(text, `"agent":true`):
			return
		case time.Now().After(late):
			t.Fatalf("the agent does not answer: %s", text)
		}
	}
}

// TestStopChain stops seven guests, and checks how each one is stopped, how long that takes, the
// status of the programs, and that no files are left.
func TestStopChain(t *testing.T) {
	t.Parallel()
	shows := func(pattern string) func(*testing.T, *harness.Session) {
		return func(t *testing.T, _ *harness.Session) {
			t.Helper()
			harness.Start(t, harness.DemoProgram(t, "connect-serial")).Expect(pattern, 1)
		}
	}
	for _, guest := range []struct {
		name   string
		fields map[string]any                     // of its vm.json
		until  func(*testing.T, *harness.Session) // returns when the stop may begin
		prints string                             // matches the output of microvm-shutdown
		status [2]int                             // of microvm-shutdown and microvm-run
	}{
		{"with an agent", nil, waitAgent, `shut down by the guest agent in`, [2]int{0, 0}},
		{"without an agent", map[string]any{"qemuArgs": noAgent}, waitReady,
			`shut down by the power button in [0-9.]+ s\n`, [2]int{0, 0}},
		{"that ignores the power button", map[string]any{"kernelParams": []string{"rdinit=/bin/busybox", "--", "sleep", "100000"}},
			shows("Run /bin/busybox as init process"),
			`stopped by QEMU's quit command in .* \(agent: no answer within 500ms; acpi: no effect within \d\.\d s\)`, [2]int{0, 0}},
		{"early in its boot", nil, func(*testing.T, *harness.Session) {}, `shut down by the (guest agent|power button) in|start canceled`, [2]int{0, 0}},
		{"that spins", map[string]any{"kernel": assemble(t, spinner), "initrd": nil}, shows("!"),
			`stopped by QEMU's quit command in .* \(agent: no answer within 500ms; acpi: no effect within \d\.\d s\)`, [2]int{0, 0}},
		{"that has panicked", nil, panicIt, `not running`, [2]int{3, 4}},
		{"whose QEMU is dead", nil, killQEMU, `not running`, [2]int{3, 1}},
	} {
		t.Run(strings.ReplaceAll(guest.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			dir := harness.OwnFolders(t)
			harness.Setenv(t, "MICROVM_CONFIG", harness.DemoWith(t, guest.fields))
			tools := filepath.Join(harness.Build(t, "tools"), "bin")
			vm := harness.Start(t, filepath.Join(tools, "microvm-run"), "--accel", accelerator(), "--auto-ports")
			vm.Expect(`console  hvc0   tcp localhost:\d+`, 1)
			guest.until(t, vm)
			timeout := harness.WaitLimit.String()
			if strings.Contains(guest.prints, "quit") { // the timeout of the power button has passed
				timeout = "8s"
			}
			stop := harness.Start(t, filepath.Join(tools, "microvm-shutdown"), "--timeout", timeout)
			got := [2]int{stop.Status(), vm.Status()}
			printed := stop.Printed()
			if got != guest.status || !regexp.MustCompile(guest.prints).MatchString(printed) {
				t.Errorf("status %d, want %d: %s", got, guest.status, printed)
			}
			if left, err := os.ReadDir(filepath.Join(dir, "microvm")); err != nil || len(left) != 0 {
				t.Errorf("files are left: %v, %v", left, err)
			}
			t.Logf("a guest %s: status %d and %d: %s", guest.name, got[0], got[1], strings.TrimSpace(printed))
		})
	}
}

// panicIt makes the guest's kernel panic.
func panicIt(t *testing.T, vm *harness.Session) {
	t.Helper()
	waitReady(t, vm)
	_, _ = harness.Command(t, harness.Root, harness.DemoProgram(t, "microvm-exec"), "--", "sh", "-c", "echo c >/proc/sysrq-trigger") // the command cannot return
	<-vm.Ended
	vm.Expect(`guest panicked: Kernel panic - not syncing: sysrq triggered crash`, 1)
}

// killQEMU kills the VM's QEMU.
func killQEMU(t *testing.T, vm *harness.Session) {
	t.Helper()
	waitReady(t, vm)
	text := harness.Must(t, harness.Root, harness.DemoProgram(t, "console-status"), "--json")
	pid := regexp.MustCompile(`"qemuPid":(\d+)`).FindStringSubmatch(text)
	if pid == nil {
		t.Fatal(text)
	}
	number, _ := strconv.Atoi(pid[1]) // digits, by the pattern
	qemu, err := os.FindProcess(number)
	if err == nil {
		err = qemu.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	<-vm.Ended
	vm.Expect(`QEMU was killed by SIGKILL`, 1)
}
