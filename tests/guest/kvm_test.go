package guest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// eachMachineType runs a subtest for each machine type.
func eachMachineType(t *testing.T, run func(t *testing.T, kind string)) {
	t.Helper()
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			harness.OwnFolders(t)
			run(t, kind)
		})
	}
}

// TestInsideKVMProbe checks that the probe chooses KVM, and that the result is cached. The
// timeout of the probe is right for a real processor; the emulated one may need several
// attempts on a busy host.
func TestInsideKVMProbe(t *testing.T) {
	onlyInsideKVM(t)
	const attempts = 30
	eachMachineType(t, func(t *testing.T, kind string) {
		args := []string{"--accel", "auto", "--machine", kind}
		for attempt := 1; ; attempt++ {
			harness.Setenv(t, "XDG_CACHE_HOME", t.TempDir())
			line := harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-run"), append(args, "--dry-run")...)
			if strings.Contains(line, " -accel kvm ") {
				t.Logf("attempt %d", attempt)
				break
			}
			if attempt == attempts {
				t.Fatalf("attempt %d: %s", attempt, line)
			}
		}
		vm := harness.StartDemo(t, append(args, "--auto-ports")...)
		vm.Expect(`KVM, `+kind, 1)
		harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"), "--force")
	})
}

// emulatedOnly is a Multiboot kernel that prints what Linux prints at its start, except under
// KVM, which it detects by the hypervisor leaf of CPUID.
const emulatedOnly = `
	.code32
	.long 0x1BADB002, 0, -0x1BADB002
	.globl _start
_start:
	cli
	mov $0x40000000, %eax
	cpuid
	mov $starts, %esi
	cmp $0x4b4d564b, %ebx # KVMK
	jne 1f
	mov $hangs, %esi
1:	mov $0x3f8, %dx
2:	lodsb
	test %al, %al
	jz 3f
	out %al, %dx
	jmp 2b
3:	jmp 3b
starts:	.asciz "Linux version 0: emulated\n"
hangs:	.asciz "hangs under KVM\n"
`

// TestInsideKVMFallback checks that a kernel that hangs under KVM is emulated, and that --verbose
// prints why.
func TestInsideKVMFallback(t *testing.T) {
	onlyInsideKVM(t)
	config := harness.DemoWith(t, map[string]any{"kernel": assemble(t, emulatedOnly), "initrd": nil, "machine": "q35"})
	const (
		summary = `emulated \(TCG\), q35: KVM does not work here\n`
		reason  = `.*accelerator: this kernel does not start under KVM: no kernel line within 3s of processor time`
	)
	harness.Setenv(t, "XDG_CACHE_HOME", t.TempDir())
	for _, test := range []struct{ accel, says, prints string }{
		{"kvm", `KVM, q35\n`, `hangs under KVM`},
		{"auto", summary + reason + `\n`, `Linux version 0: emulated`},
		{"auto", summary + reason + ` \(cached\)\n`, `Linux version 0: emulated`},
	} {
		harness.OwnFolders(t)
		vm := harness.StartDemo(t, "--config", config, "--auto-ports", "--verbose", "--accel", test.accel)
		vm.Expect(test.says, 1)
		harness.Start(t, harness.DemoProgram(t, "connect-serial"), "--read-only").Expect(test.prints, 1)
		harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"), "--force")
		if status := vm.Status(); status != 0 {
			t.Errorf("microvm-run has status %d", status)
		}
	}
}

// TestInsideKVMPermission checks that a user without permission to open /dev/kvm gets an
// emulated machine, or an error with a remedy, and that the remedy works.
func TestInsideKVMPermission(t *testing.T) {
	onlyInsideKVM(t)
	const uid, group, why = "65534", "4711", `/dev/kvm: permission denied (add yourself to the group kvm)`
	harness.Must(t, harness.Root, "chown", uid, harness.OwnFolders(t))
	harness.Setenv(t, "HOME", "/nonexistent")
	user := func(groups, name string, args ...string) *harness.Session {
		words := []string{"--reuid", uid, "--regid", uid, groups, harness.DemoProgram(t, name)}
		return harness.Start(t, "setpriv", append(words, args...)...)
	}
	starts := func(groups, accel, want string) {
		t.Helper()
		vm := user(groups, "microvm-run", "--auto-ports", "--accel", accel)
		vm.Expect(harness.EndpointLine.String(), 2)
		vm.Expect(regexp.QuoteMeta(want), 1)
		stop := user(groups, "microvm-shutdown", "--force").Status()
		if status := vm.Status(); stop != 0 || status != 0 {
			t.Errorf("microvm-shutdown has status %d, microvm-run %d", stop, status)
		}
	}
	starts("--clear-groups", "auto", "emulated (TCG), q35: "+why+"\n")
	refused := user("--clear-groups", "microvm-run", "--auto-ports", "--accel", "kvm")
	status := refused.Status()
	if text := refused.Printed(); status != 1 || text != "microvm-run: "+why+"\n" {
		t.Errorf("status %d: %s", status, text)
	}
	harness.Must(t, harness.Root, "chown", "0:"+group, "/dev/kvm")
	harness.Must(t, harness.Root, "chmod", "0660", "/dev/kvm")
	starts("--groups="+group, "kvm", "KVM, microvm\n")
}

func TestInsideKVMRunTest(t *testing.T) {
	onlyInsideKVM(t)
	eachMachineType(t, func(t *testing.T, kind string) {
		output := harness.Must(t, harness.Root, harness.DemoProgram(t, "run-test"), "--machine", kind, "--lines", fmt.Sprint(*harness.Lines), "--timeout", harness.WaitLimit.String())
		for _, want := range []string{"KVM, " + kind, "14 passed, 0 failed"} {
			if !strings.Contains(output, want) {
				t.Errorf("no %q", want)
			}
		}
		t.Log(output)
	})
}

func TestInsideKVMPanic(t *testing.T) {
	onlyInsideKVM(t)
	eachMachineType(t, func(t *testing.T, kind string) {
		vm := harness.StartWithoutInput(t, harness.DemoProgram(t, "microvm-run"), "--machine", kind, "--auto-ports", "--exec", "--", "sh", "-c", "echo c >/proc/sysrq-trigger; sleep 100")
		if status := vm.Status(); status != 4 {
			t.Errorf("status %d, want 4", status)
		}
		vm.Expect(`KVM, `+kind, 1)
		vm.Expect(`guest panicked: Kernel panic - not syncing: sysrq triggered crash`, 1)
	})
}
