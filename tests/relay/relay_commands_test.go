package relay

import (
	"os"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// typeInto writes to a FIFO, as `echo text > fifo` in a shell does.
func typeInto(t *testing.T, fifo, text string) {
	t.Helper()
	harness.Must(t, harness.Root, "bash", "-c", `printf %s "$1" >"$2"`, "typeInto", text, fifo)
}

// TestQEMUByHandHasPlainFIFOs starts QEMU by hand several times on the public FIFOs, which are
// then plain FIFOs, with one reader that stays. Then run-qemu uses the same channels.
func TestQEMUByHandHasPlainFIFOs(t *testing.T) {
	t.Parallel()
	if !harness.InSystemdAsUser(t) {
		return
	}
	startUnits(t)
	const lines = 2000
	disk := bootSector(t, lines, false)
	byHand := append([]string{"qemu-system-x86_64", "-display", "none", "-monitor", "none", "-serial", "pipe:/tmp/qemu-serial"}, disk...)
	cat := harness.Start(t, "cat", "/tmp/qemu-serial.out")
	for boot, vm := range [][]string{byHand, byHand, append([]string{runQEMU}, disk...)} {
		qemu := harness.Start(t, vm[0], vm[1:]...)
		cat.Expect(`line 1999\r\n`, boot+1)
		typeInto(t, "/tmp/qemu-serial.in", "x")
		cat.Expect(`key x\r\n`, boot+1)
		typeInto(t, "/tmp/qemu-serial.in", "q")
		if status := qemu.Status(); status != 0 {
			t.Errorf("boot %d: status %d", boot, status)
		}
	}
	text := cat.Printed()
	if err := checkLines(strings.ReplaceAll(text, "key x\r\n", ""), lines, 3); err != nil {
		t.Error(err)
	}
	if err := checkLines(strings.ReplaceAll(bootLog(t, "serial", 0), "key x\r\n", ""), lines, 1); err != nil {
		t.Errorf("run-qemu: %v", err)
	}
}

// TestReadersOfTheLastBoot checks that a client that connects after the end of the VM receives the
// last boot from its first byte, with each command in docs/relays.md.
func TestReadersOfTheLastBoot(t *testing.T) {
	t.Parallel()
	if !harness.InSystemdAsUser(t) {
		return
	}
	startUnits(t)
	const lines = 20000
	harness.Must(t, harness.Root, "./scripts/run-qemu.sh", bootSector(t, 10, true)...)
	harness.Must(t, harness.Root, "./scripts/run-qemu.sh", bootSector(t, lines, true)...)
	commands := [][]string{
		{"cat", "/tmp/qemu-serial.out"},
		{"socat", "-u", "/tmp/qemu-serial.out", "-"},
		{"stdbuf", "-o0", "tail", "-n", "+1", "-f", "/tmp/qemu-debugcon.out"}, // tail buffers 4 KiB if its output is a pipe
		{"tail", "-n", "+1", "-F", "/tmp/qemu-debugcon.log"},
		{"socat", "-u", "unix:/tmp/qemu-serial.sock", "-"},
		{"nc", "-U", "/tmp/qemu-serial.sock"},
		{"socat", "-u", "/tmp/qemu-serial.pty,raw,echo=0", "-"},
	}
	for _, words := range commands {
		// A reader that opens the FIFO before the relay has noticed that the last one has left
		// continues at the position of that one.
		awaitNoClients(t, "serial")
		awaitNoClients(t, "debugcon")
		client := harness.Start(t, words[0], words[1:]...)
		client.Expect(`line 19999\r\n`, 1)
		text := client.Printed()
		if err := checkLines(text, lines, 1); err != nil {
			t.Errorf("%s: %v", strings.Join(words, " "), err)
		}
		client.Cmd.Process.Kill()
		<-client.Ended
	}
}

// TestRunQEMUWithoutServices checks that run-qemu relays the channels itself without services, and
// keeps the same journals.
func TestRunQEMUWithoutServices(t *testing.T) {
	t.Parallel()
	if !harness.InSystemdAsUser(t) {
		return
	}
	const lines = 5000
	vm := harness.Start(t, runQEMU, bootSector(t, lines, false)...)
	for _, channel := range channels {
		for _, suffix := range []string{".in", ".out", ".sock", ".pty", ".log"} {
			path := "/tmp/qemu-" + channel + suffix
			harness.Must(t, harness.Root, "timeout", "60", "bash", "-c", `until [ -e "$1" ]; do sleep 0.1; done`, "await", path)
		}
	}
	client := harness.Start(t, "socat", "-u", "unix:/tmp/qemu-serial.sock", "-")
	client.Expect(`line 4999\r\n`, 1)
	second := harness.Start(t, runQEMU, bootSector(t, lines, true)...)
	if status := second.Status(); status == 0 {
		t.Error("a second QEMU on the same channels has status 0")
	}
	second.Expect(`(?m)^run-qemu: channel "serial": .*\(pid \d+`, 1)
	typeInto(t, "/tmp/qemu-monitor.in", "quit\n")
	if status := vm.Status(); status != 0 {
		text := vm.Printed()
		t.Errorf("status %d:\n%s", status, text)
	}
	for _, channel := range printingChannels {
		if err := checkLines(bootLog(t, channel, 0), lines, 1); err != nil {
			t.Errorf("%s: %v", channel, err)
		}
	}
	if !strings.Contains(bootLog(t, "monitor", 0), "(qemu) ") {
		t.Errorf("the monitor's log: %q", bootLog(t, "monitor", 0))
	}
	if _, err := os.Stat("/tmp/qemu-serial.sock"); err == nil {
		t.Error("/tmp/qemu-serial.sock still exists")
	}
}

func TestRunQEMUGivesQEMUsStatus(t *testing.T) {
	t.Parallel()
	if !harness.InSystemdAsUser(t) {
		return
	}
	startUnits(t)
	bad := harness.Start(t, runQEMU, "-no-such-option")
	if status := bad.Status(); status != 1 {
		t.Errorf("QEMU does not start, but the status is %d", status)
	}
	bad.Expect(`: -no-such-option: `, 1)
	vm := harness.Start(t, runQEMU, append(bootSector(t, 10, false), "-device", "isa-debug-exit,iobase=0xf4")...)
	client := harness.Start(t, "socat", "-u", "/tmp/qemu-serial.out", "-")
	client.Expect(`line 9\r\n`, 1)
	typeInto(t, "/tmp/qemu-serial.in", "e")
	if status := vm.Status(); status != 3 {
		t.Errorf("the guest failed, but the status is %d", status)
	}
}
