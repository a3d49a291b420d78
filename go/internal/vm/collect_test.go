package vm

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/qmp"
	"microvm-console/internal/relay"
	"microvm-console/internal/vmconfig"
)

// collecting returns a machine that collects.
func collecting(t *testing.T, words ...string) vmconfig.Machine {
	t.Helper()
	m := machine(t, words...)
	m.Collect = true
	return m
}

// bundles returns the paths of the machine's crash bundles.
func bundles(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(os.Getenv("XDG_STATE_HOME"), "microvm/m/crashes/*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestBundleOfAPanic(t *testing.T) {
	for _, test := range []struct {
		name string
		word string
		dump bool
	}{
		{"by the panic device", "fake.panicked", false},
		{"by a restart", "fake.restart", false},
		{"with memory", "fake.panicked", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := collecting(t, "fake.print="+printed(t, bootText+panicText), test.word)
			_, ended := runWith(t, m, Options{AutoPorts: true, Dump: test.dump})
			var cause *guest.Error
			if err := <-ended; !errors.As(err, &cause) || !cause.Panic() {
				t.Errorf("Run: %v", err)
			}
			found := bundles(t)
			if len(found) != 1 {
				t.Fatalf("bundles: %q", found)
			}
			serial, err := os.ReadFile(filepath.Join(found[0], "serial.log"))
			if err != nil || string(serial) != bootText+panicText {
				t.Errorf("serial.log is %q, %v", serial, err)
			}
			if _, err := os.Stat(filepath.Join(found[0], "memory.elf")); (err == nil) != test.dump {
				t.Errorf("memory: %v", err)
			}
		})
	}
}

func TestNoBundleWithoutCollect(t *testing.T) {
	_, ended := run(t, machine(t, "fake.print="+printed(t, bootText+panicText), "fake.panicked"))
	if err := <-ended; err == nil {
		t.Error("no panic")
	}
	if found := bundles(t); found != nil {
		t.Errorf("bundles: %q", found)
	}
}

func TestRestartAndPowerOffOfAGuestThatIsKept(t *testing.T) {
	v, ended := run(t, collecting(t, "fake.print="+printed(t, bootText), "fake.restart="+printed(t, bootText+loginText)))
	if err := ready(t, v); err != nil {
		t.Fatal(err)
	}
	if status := v.Status(); status.Restarts != 1 || status.Paused {
		t.Errorf("the status is %+v", status)
	}
	if report, err := v.Stop(t.Context(), ctl.StopRequest{Button: true}); err != nil || report.Stage != "acpi" {
		t.Errorf("Stop: %v, %v", report, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if found := bundles(t); found != nil {
		t.Errorf("bundles: %q", found)
	}
}

func TestPowerOffOfAGuestThatIsKept(t *testing.T) {
	v, ended := run(t, collecting(t, "fake.agent"))
	await(t, "agent", func() bool { return v.Status().Agent })
	v.watcher.events.take(qmp.Event{Name: "SHUTDOWN", Data: []byte(`{"guest": true, "reason": "guest-shutdown"}`)})
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if how := v.Status().Ended; how != "powered off" {
		t.Errorf("ended: %q", how)
	}
}

func TestCollectByHand(t *testing.T) {
	v, ended := run(t, machine(t))
	started(t, v)
	folder := filepath.Join(t.TempDir(), "bundle")
	bundle, err := v.Collect(t.Context(), ctl.CrashRequest{Output: folder, NMI: true})
	if err != nil || bundle.Folder != folder || bundle.Problems != nil {
		t.Fatalf("Collect: %+v, %v", bundle, err)
	}
	// The fake QEMU echoes the keys.
	answers, err := os.ReadFile(filepath.Join(folder, "sysrq.txt"))
	if err != nil || strings.Count(string(answers), "break on serial0") != 4 || !strings.Contains(string(answers), "NMI received") {
		t.Errorf("sysrq.txt is %q, %v", answers, err)
	}
	if status := v.Status(); status.Consoles[0].Relay.Writer != "" {
		t.Errorf("%s still has the seat", status.Consoles[0].Relay.Writer)
	}
	stop(t, v, ended)
	if _, err := v.Collect(t.Context(), ctl.CrashRequest{}); err == nil {
		t.Error("a bundle of a VM that has ended")
	}
}

func TestCollectLeavesTheSeatToItsHolder(t *testing.T) {
	v, ended := run(t, machine(t))
	started(t, v)
	holder, err := v.consoles.all()[0].Relay().Typist(relay.TypistInfo{Name: "me", Seat: relay.TakeSeat})
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	for _, force := range []bool{false, true} {
		bundle, err := v.Collect(t.Context(), ctl.CrashRequest{Force: force})
		if err != nil {
			t.Fatal(err)
		}
		taken := slices.Contains(bundle.Problems, "SysRq: serial: me has the writer's seat (take it with --force)")
		if taken == force {
			t.Errorf("force %v: problems %q", force, bundle.Problems)
		}
	}
	stop(t, v, ended)
}

func TestSysRqConsole(t *testing.T) {
	for devices, want := range map[string]int{"ttyS0 hvc0": 0, "hvc0 ttyS0": 1, "debugcon hvc0 hvc1": 1, "debugcon": -1} {
		var consoles []vmconfig.Console
		for _, device := range strings.Fields(devices) {
			consoles = append(consoles, vmconfig.Console{Device: device})
		}
		if got := sysRqConsole(consoles); got != want {
			t.Errorf("%s: %d, want %d", devices, got, want)
		}
	}
}
