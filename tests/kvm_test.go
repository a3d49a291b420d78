package tests

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// eachMachineType runs a test for both.
func eachMachineType(t *testing.T, run func(t *testing.T, kind string)) {
	t.Helper()
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			private(t)
			run(t, kind)
		})
	}
}

// The probe chooses KVM, and remembers it. It waits no longer than a real processor
// needs; on a busy host this one may need several attempts.
func TestInsideKVMProbe(t *testing.T) {
	onlyInsideKVM(t)
	const attempts = 30
	eachMachineType(t, func(t *testing.T, kind string) {
		args := []string{"--accel", "auto", "--machine", kind}
		for attempt := 1; ; attempt++ {
			setenv(t, "XDG_CACHE_HOME", t.TempDir())
			line := must(t, root, program(t, "microvm-run"), append(args, "--dry-run")...)
			if strings.Contains(line, " -accel kvm ") {
				t.Logf("attempt %d", attempt)
				break
			}
			if attempt == attempts {
				t.Fatalf("attempt %d: %s", attempt, line)
			}
		}
		vm := running(t, append(args, "--auto-ports")...)
		vm.expect(`accelerator kvm \(this kernel starts under KVM; remembered\), machine type `+kind, 1)
		must(t, root, program(t, "microvm-shutdown"), "--force")
	})
}

// emulatedOnly is a kernel by the Multiboot specification that starts as Linux does,
// but not under KVM, which it knows by the leaf of CPUID for hypervisors.
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

// A kernel that hangs under KVM is emulated, and the user reads why.
func TestInsideKVMFallback(t *testing.T) {
	onlyInsideKVM(t)
	config := withFields(t, map[string]any{"kernel": assemble(t, emulatedOnly), "initrd": nil, "machine": "q35"})
	const why = `KVM opens, but this kernel does not start under it: no kernel line within 3s of processor time`
	setenv(t, "XDG_CACHE_HOME", t.TempDir())
	for _, test := range []struct{ accel, says, prints string }{
		{"kvm", `accelerator kvm \(as asked for\)`, `hangs under KVM`},
		{"auto", `accelerator tcg \(` + why + `\), machine type q35`, `Linux version 0: emulated`},
		{"auto", `accelerator tcg \(` + why + `; remembered\), machine type q35`, `Linux version 0: emulated`},
	} {
		private(t)
		vm := running(t, "--config", config, "--auto-ports", "--accel", test.accel)
		vm.expect(test.says, 1)
		start(t, program(t, "connect-serial"), "--read-only").expect(test.prints, 1)
		must(t, root, program(t, "microvm-shutdown"), "--force")
		if status := vm.status(); status != 0 {
			t.Errorf("microvm-run has status %d", status)
		}
	}
}

// A user who may not open /dev/kvm gets an emulated machine, or an error with the
// remedy, which works.
func TestInsideKVMPermission(t *testing.T) {
	onlyInsideKVM(t)
	const uid, group, why = "65534", "4711", `no KVM for us: /dev/kvm: permission denied (add this user to the group kvm, or use --accel tcg)`
	must(t, root, "chown", uid, private(t))
	setenv(t, "HOME", "/nonexistent")
	user := func(groups, name string, args ...string) *session {
		words := []string{"--reuid", uid, "--regid", uid, groups, program(t, name)}
		return start(t, "setpriv", append(words, args...)...)
	}
	starts := func(groups, accel, want string) {
		t.Helper()
		vm := user(groups, "microvm-run", "--auto-ports", "--accel", accel)
		vm.expect(endpoint.String(), 2)
		vm.expect(regexp.QuoteMeta(want), 1)
		stop := user(groups, "microvm-shutdown", "--force").status()
		if status := vm.status(); stop != 0 || status != 0 {
			t.Errorf("microvm-shutdown has status %d, microvm-run %d", stop, status)
		}
	}
	starts("--clear-groups", "auto", "accelerator tcg ("+why+"), machine type q35\n")
	refused := user("--clear-groups", "microvm-run", "--auto-ports", "--accel", "kvm")
	status := refused.status()
	if text, _ := refused.look(); status != 1 || text != "microvm-run: "+why+"\n" {
		t.Errorf("status %d: %s", status, text)
	}
	must(t, root, "chown", "0:"+group, "/dev/kvm")
	must(t, root, "chmod", "0660", "/dev/kvm")
	starts("--groups="+group, "kvm", "accelerator kvm (as asked for), machine type microvm\n")
}

func TestInsideKVMRunTest(t *testing.T) {
	onlyInsideKVM(t)
	eachMachineType(t, func(t *testing.T, kind string) {
		output := must(t, root, program(t, "run-test"), "--machine", kind, "--lines", fmt.Sprint(*lines), "--timeout", waitLimit.String())
		for _, want := range []string{"accelerator kvm (as asked for), machine type " + kind, "13 passed, 0 failed"} {
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
		vm := startEmpty(t, program(t, "microvm-run"), "--machine", kind, "--auto-ports", "--exec", "--", "sh", "-c", "echo c >/proc/sysrq-trigger; sleep 100")
		if status := vm.status(); status != 4 {
			t.Errorf("status %d, want 4", status)
		}
		vm.expect(`accelerator kvm \(as asked for\), machine type `+kind, 1)
		vm.expect(`guest panicked: Kernel panic - not syncing: sysrq triggered crash`, 1)
	})
}
