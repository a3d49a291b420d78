package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// TestTortureOfAGuest has a real guest print numbered lines on ttyS0 and hvc0 through persistent
// relays, which are killed at random moments. Clients of all kinds connect and disconnect, and
// some do not read. No line is missing or repeated in the journals, each client receives its
// range, and QEMU and the relay always answer.
func TestTortureOfAGuest(t *testing.T) {
	dir := harness.OwnFolders(t)
	names := []string{"serial", "console"}
	ports, settings := freePorts(t, "serial", "console")
	writeSettings(t, `"retentionMiB": 65536, "boots": 100000, `+settings)
	relay := startRelay(t, append(names, "monitor", "debugcon")...)
	relay.ports = ports
	path, args := qmpOf(dir)
	vm := harness.Start(t, harness.DemoProgram(t, "run-qemu"), append(args, guestArgs(t)...)...)
	qemu := dialQMP(t, path)
	for _, name := range names {
		terminal := harness.Shell(t, publicPath(t, name, "sock"))
		terminal.Send(harness.PrintLines())
		terminal.Expect(strings.TrimSpace(harness.LinesBegin), 1) // a relay that is killed drops its input
	}
	begin := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	waiting := watchFIFO(ctx, t, "console")
	relays, machine := pollRelay(ctx, relay, names), pollQEMU(ctx, qemu)
	clients := startClients(ctx, relay, names, 0, 50)
	kills, err := killUntil(relay, harness.LinesLimit(), func() bool {
		waiting.await() // QEMU drops the output of hvc0 while the FIFO is full
		return endsIn(t, "serial", harness.LinesEnd) && endsIn(t, "console", harness.LinesEnd)
	})
	if err != nil {
		t.Error(err)
	}
	printed := time.Since(begin)
	stop()
	clients.report(t)
	relays.report(t)
	machine.report(t)
	waiting.report(t)
	checkStates(t, names)
	if err := qemu.execute("quit"); err != nil {
		t.Error(err)
	}
	if status := vm.Status(); status != 0 {
		t.Errorf("run-qemu: status %d", status)
	}
	relay.stop()
	for name, device := range map[string]string{"serial": "ttyS0", "console": "hvc0"} {
		text := readJournal(t, name)
		harness.CheckLines(t, device+", the journal", text)
		if t.Failed() && os.Getenv("TORTURE_KEEP") != "" {
			os.WriteFile(os.Getenv("TORTURE_KEEP")+name, text, 0o600)
		}
	}
	t.Logf("%d SIGKILLs of the relay in %.0f s; %d lines on each console", kills, printed.Seconds(), *harness.Lines)
}

// TestQEMUAnswersInTheStorm: QEMU's debug console writes while it holds a lock that QMP needs too,
// so that a relay that does not read would block all of QEMU. A boot sector prints there and on
// the serial port at full speed, while the relay is killed and clients connect and disconnect.
func TestQEMUAnswersInTheStorm(t *testing.T) {
	const sectorLines = 100_000
	dir := harness.OwnFolders(t)
	ports, settings := freePorts(t, "serial", "debugcon")
	writeSettings(t, `"retentionMiB": 65536, "boots": 100000, `+settings)
	relay := startRelay(t, channels...)
	relay.ports = ports
	path, args := qmpOf(dir)
	vm := harness.Start(t, harness.DemoProgram(t, "run-qemu"), append(args, bootSector(t, sectorLines, false)...)...)
	qemu := dialQMP(t, path)
	ctx, stop := context.WithCancel(t.Context())
	machine := pollQEMU(ctx, qemu)
	clients := startClients(ctx, relay, printingChannels, 0, 50)
	last := fmt.Sprintf("line %d\r\n", sectorLines-1)
	kills, err := killUntil(relay, harness.WaitLimit, func() bool { return endsIn(t, "serial", last) && endsIn(t, "debugcon", last) })
	if err != nil {
		t.Error(err)
	}
	stop()
	clients.report(t)
	machine.report(t)
	checkStates(t, printingChannels)
	if err := qemu.execute("quit"); err != nil {
		t.Error(err)
	}
	if status := vm.Status(); status != 0 {
		t.Errorf("run-qemu: status %d", status)
	}
	relay.stop()
	for _, name := range printingChannels {
		if err := checkLines(string(readJournal(t, name)), sectorLines, 1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Logf("%d SIGKILLs of the relay", kills)
}

// guestArgs returns QEMU's arguments for the demo's guest, with hvc0 connected to the channel
// "console".
func guestArgs(t *testing.T) []string {
	t.Helper()
	var machine struct{ Kernel, Initrd string }
	text := harness.ReadFile(t, filepath.Join(harness.Build(t, "console-demo"), "share/microvm/vm.json"))
	if err := json.Unmarshal([]byte(text), &machine); err != nil {
		t.Fatal(err)
	}
	return []string{
		"-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256M", "-nic", "none", "-display", "none",
		"-kernel", machine.Kernel, "-initrd", machine.Initrd,
		"-append", "console=ttyS0,115200 console=hvc0 panic=-1 no_timer_check cryptomgr.notests noirqdebug",
		"-device", "virtio-serial-pci,ioeventfd=off", // as in microvm-run, because hvc0 is six times faster with it
		"-chardev", "pipe,id=hvc0,path=" + privatePath(t, "console", "vm"), "-device", "virtconsole,chardev=hvc0",
	}
}

// killUntil kills and restarts the relay at random moments until done returns true.
func killUntil(relay *relayProcess, limit time.Duration, done func() bool) (kills int, err error) {
	random := rand.New(rand.NewPCG(tortureSeed, 3))
	for late := time.Now().Add(limit); !done(); kills++ {
		if time.Now().After(late) {
			return kills, errors.New("the last line was not printed in time")
		}
		moment := 2 * time.Second // time for the clients to reconnect and read everything
		if kills%2 == 0 {
			moment = 5 * time.Millisecond // while the relay reads the full FIFO
		}
		time.Sleep(time.Duration(random.Int64N(int64(moment))))
		relay.killAndRestart()
	}
	return kills, nil
}

// endsIn reports whether text is near the end of a channel's journal.
func endsIn(t *testing.T, name, text string) bool {
	files, err := listSegments(journalDir(t, name))
	if err != nil || len(files) == 0 {
		return false
	}
	last := files[len(files)-1]
	file, err := os.Open(last.path)
	if err != nil {
		return false
	}
	defer file.Close()
	end := make([]byte, 256)
	n, _ := file.ReadAt(end, max(0, last.size-int64(len(end)))) // the journal may be shorter than end
	return bytes.Contains(end[:n], []byte(text))
}

// readJournal returns the contents of the journal of a channel.
func readJournal(t *testing.T, name string) []byte {
	t.Helper()
	files, err := listSegments(journalDir(t, name))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file.path)
		if err != nil || file.start != int64(len(all)) {
			t.Errorf("%s: begins after %d bytes: %v", file.path, len(all), err)
		}
		all = append(all, text...)
	}
	return all
}

// checkStates reports an error unless the journals of channels are complete.
func checkStates(t *testing.T, names []string) {
	t.Helper()
	for _, name := range names {
		if state := channelStatus(t, name); !state.Exact || len(state.Gaps) > 0 || state.Oldest != 0 {
			t.Errorf("%s: %+v", name, state)
		}
	}
}
