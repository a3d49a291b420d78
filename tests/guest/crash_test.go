package guest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// bundle is the part of a crash bundle's index.json that these tests read.
type bundle struct {
	Reason   string
	RunState string
	Problems []string
	Files    []struct{ Name string }
}

// readBundle reads the index of a crash bundle, and checks that each of its files exists and is
// private.
func readBundle(t *testing.T, folder string) bundle {
	t.Helper()
	var index bundle
	if err := json.Unmarshal([]byte(harness.ReadFile(t, filepath.Join(folder, "index.json"))), &index); err != nil {
		t.Fatal(err)
	}
	for _, file := range index.Files {
		if info, err := os.Stat(filepath.Join(folder, file.Name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file.Name, info, err)
		}
	}
	return index
}

// expectIn fails the test if a file of a bundle lacks one of texts.
func expectIn(t *testing.T, folder, name string, texts ...string) {
	t.Helper()
	content := harness.ReadFile(t, filepath.Join(folder, name))
	for _, text := range texts {
		if !strings.Contains(content, text) {
			t.Errorf("%s lacks %q:\n%s", name, text, content)
		}
	}
}

// TestCrashBundle collects a bundle of a guest that runs, restarts it, and lets it panic. Debian's
// kernel answers the SysRq keys that it refuses by default.
func TestCrashBundle(t *testing.T) {
	t.Parallel()
	config := harness.DemoWith(t, map[string]any{"collect": true})
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			harness.OwnFolders(t)
			vm := harness.Start(t, harness.Tool(t, "microvm-run"), "--config", config, "--auto-ports", "--machine", kind, "--accel", accelerator(), "--dump")
			vm.Expect(`READY after`, 1)
			run := func(name string, args ...string) string {
				return harness.Must(t, harness.Root, harness.Tool(t, name), append([]string{"--config", config}, args...)...)
			}
			byHand := filepath.Join(t.TempDir(), "bundle")
			run("microvm-crash", "--output", byHand)
			if index := readBundle(t, byHand); index.Reason != "requested" || index.RunState != "running" || index.Problems != nil {
				t.Errorf("the index is %+v", index)
			}
			expectIn(t, byHand, "registers.txt", "RIP=")
			expectIn(t, byHand, "sysrq.txt", "Show State", "Show Blocked State", "Show Memory")
			expectIn(t, byHand, "serial.log", "Linux version")

			// The guest continues, and so it does after a restart.
			_, _ = harness.Command(t, harness.Root, harness.Tool(t, "microvm-exec"), "--config", config, "--", "reboot", "-f")
			for late := time.Now().Add(harness.WaitLimit); !strings.Contains(run("console-status", "--json"), `"restarts":1`); time.Sleep(100 * time.Millisecond) {
				if time.Now().After(late) {
					t.Fatal("the guest has not restarted")
				}
			}
			run("microvm-exec", "--wait-ready", "--", "true")

			_, _ = harness.Command(t, harness.Root, harness.Tool(t, "microvm-exec"), "--config", config, "--", "sh", "-c", "echo c >/proc/sysrq-trigger")
			if status := vm.Status(); status != 4 {
				t.Errorf("microvm-run has status %d:\n%s", status, vm.Printed())
			}
			_, folder, _ := strings.Cut(vm.Printed(), "/crashes/")
			folder, _, _ = strings.Cut(folder, "\n")
			found, err := filepath.Glob(filepath.Join(harness.Getenv(t, "XDG_STATE_HOME"), "microvm/*/crashes", strings.TrimSpace(folder)))
			if err != nil || len(found) != 1 {
				t.Fatalf("the bundles of the panic: %q, %v:\n%s", found, err, vm.Printed())
			}
			if index := readBundle(t, found[0]); !strings.Contains(index.Reason, "sysrq triggered crash") || index.Problems != nil {
				t.Errorf("the index is %+v", index)
			}
			expectIn(t, found[0], "serial.log", "Kernel panic - not syncing: sysrq triggered crash")
			expectIn(t, found[0], "events.json", `"kind": "panic"`)
			expectIn(t, found[0], "memory.elf", "\x7fELF")
		})
	}
}

// TestPowerOffOfAVMThatCollects checks that a guest of such a VM ends it by a power-off.
func TestPowerOffOfAVMThatCollects(t *testing.T) {
	t.Parallel()
	config := harness.DemoWith(t, map[string]any{"collect": true})
	harness.OwnFolders(t)
	output := harness.Must(t, harness.Root, harness.Tool(t, "run-test"), "--config", config, "--accel", accelerator(), "--lines", "100")
	if !strings.Contains(output, " 0 failed") || strings.Contains(output, "crash bundle") {
		t.Error(output)
	}
}

// TestDumpInCrash opens the memory of a guest with Debian's crash.
func TestDumpInCrash(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("crash"); err != nil {
		harness.Skip(t, "crash", "install Debian's crash")
	}
	demo := kernelDemo(t, "guest-kernel-debug", "debug-guest")
	vmlinux := filepath.Join(harness.Build(t, "guest-kernel-debug"), "vmlinux")
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			harness.OwnFolders(t)
			config := harness.ChangedVM(t, demo, func(machine map[string]any) { machine["collect"], machine["machine"] = true, kind })
			vm := harness.Start(t, harness.Tool(t, "microvm-run"), "--config", config, "--auto-ports")
			vm.Expect(`READY after`, 1)
			folder := filepath.Join(t.TempDir(), "bundle")
			harness.Must(t, harness.Root, harness.Tool(t, "microvm-crash"), "--config", config, "--dump", "--output", folder)
			commands := filepath.Join(t.TempDir(), "commands")
			harness.WriteFile(t, commands, "sys\nlog\nquit\n")
			output := harness.Must(t, folder, "crash", "-s", "-i", commands, vmlinux, "memory.elf")
			for _, want := range []string{"memory.elf", "Linux version", "sysrq: Show"} {
				found := strings.Contains(output, want)
				if want == "sysrq: Show" {
					found = !found // the memory is from before SysRq
				}
				if !found {
					t.Errorf("crash: %q:\n%s", want, output)
				}
			}
			harness.Must(t, harness.Root, harness.Tool(t, "microvm-shutdown"), "--config", config)
			if status := vm.Status(); status != 0 {
				t.Errorf("microvm-run has status %d", status)
			}
		})
	}
}

// drgnScript prints the tasks in a dump, and the functions of the one that has panicked, with their
// source files, up to the system call.
const drgnScript = `
from drgn.helpers.linux.pid import for_each_task
print("tasks", *(task.comm.string_().decode() for task in for_each_task(prog)))
for frame in prog.crashed_thread().stack_trace():
    print(frame.name, frame.source()[0])
    if frame.name == "do_syscall_64":
        break
`

// TestDumpInDrgn opens the memory of a guest that has panicked with Debian 13's drgn.
func TestDumpInDrgn(t *testing.T) {
	t.Parallel()
	demo := kernelDemo(t, "guest-kernel-debug", "debug-guest")
	vmlinux := filepath.Join(harness.Build(t, "guest-kernel-debug"), "vmlinux")
	root := harness.DebianRoot(t, "trixie", "python3-drgn")
	harness.WriteFile(t, filepath.Join(root, "script.py"), drgnScript)
	harness.Must(t, root, "cp", vmlinux, "vmlinux")
	for _, kind := range []string{"q35", "microvm"} {
		t.Run(kind, func(t *testing.T) {
			harness.OwnFolders(t)
			config := harness.ChangedVM(t, demo, func(machine map[string]any) { machine["collect"], machine["machine"] = true, kind })
			printed, err := harness.Command(t, harness.Root, harness.Tool(t, "microvm-run"), "--config", config, "--auto-ports", "--dump",
				"--exec", "--", "sh", "-c", "mount -t debugfs debugfs /sys/kernel/debug; echo PANIC >/sys/kernel/debug/provoke-crash/DIRECT")
			dumps, _ := filepath.Glob(filepath.Join(harness.Getenv(t, "XDG_STATE_HOME"), "microvm/*/crashes/*/memory.elf"))
			if len(dumps) != 1 {
				t.Fatalf("the dumps of the panic: %q (microvm-run: %v):\n%s", dumps, err, printed)
			}
			harness.Must(t, root, "cp", dumps[0], "memory.elf")
			output := harness.Must(t, root, "chroot", ".", "drgn", "--quiet", "--core", "memory.elf", "--symbols", "vmlinux", "script.py")
			harness.InOrder(t, output, "tasks init ", "microvm-agent",
				"panic kernel/panic.c\n", "lkdtm_PANIC drivers/misc/lkdtm/bugs.c\n", "vfs_write fs/read_write.c\n")
		})
	}
}
