package relay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// TestReadOnlyState checks that a relay that cannot write its journal does not start, and prints
// one line.
func TestReadOnlyState(t *testing.T) {
	t.Parallel()
	if !harness.InOwnMounts(t) {
		return
	}
	state := smallState(t, harness.OwnFolders(t), "1m")
	harness.Must(t, harness.Root, "mount", "-o", "remount,ro", state)
	writeSettings(t, `"retentionMiB": 16`)
	relay := harness.Start(t, harness.DemoProgram(t, "qemu-relay"), "serve", "serial")
	if status := relay.Status(); status != 1 {
		t.Errorf("status %d", status)
	}
	text := relay.Printed()
	want := "qemu-relay: channel \"serial\": mkdir " + state + "/qemu-relay: read-only file system"
	if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, want) {
		t.Errorf("printed %q, want %q", text, want)
	}
	if _, err := os.Lstat(publicPath(t, "serial", "sock")); err == nil {
		t.Error("a socket still exists")
	}
}

// TestJournalIsRemoved removes the folder of the journal while a channel prints: its contents
// become a gap, and the journal continues.
func TestJournalIsRemoved(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	writeSettings(t, `"retentionMiB": 1024`)
	relay := startRelay(t, "serial")
	lock := lockSerial(t, relay)
	defer lock.Close()
	order := printJob{privatePath(t, "serial", "vm.out"), "serial", 0, 1 << 20, 0, true}
	printAndWait(t, order)
	awaitPrinted(t, 1<<20)
	if err := os.RemoveAll(journalDir(t, "serial")); err != nil {
		t.Fatal(err)
	}
	for boot := 1; boot < 4; boot++ {
		order.boot = boot
		printAndWait(t, order)
	}
	state := channelStatus(t, "serial")
	if len(state.Gaps) != 1 || state.End != 4<<20 {
		t.Fatalf("%+v", state)
	}
	gap := state.Gaps[0]
	if gap.Offset != 0 || !strings.Contains(gap.Cause, "their file was removed") {
		t.Errorf("%+v", gap)
	}
	text := harness.Must(t, harness.Root, harness.DemoProgram(t, "qemu-relay"), "status", "serial")
	if !strings.Contains(text, "bytes were lost at offset 0 (their file was removed)") {
		t.Error(text)
	}
	var all strings.Builder
	for boot := range 4 {
		for number := range 1 << 20 / lineBytes {
			all.Write(appendLine(nil, "serial", boot, number))
		}
	}
	if kept := harness.Must(t, harness.Root, harness.DemoProgram(t, "qemu-relay"), "log", "serial"); kept != all.String()[gap.Bytes:] {
		t.Errorf("%d bytes in the log, want %d", len(kept), 4<<20-gap.Bytes)
	}
	t.Logf("%d bytes printed, %d of them removed with the folder", 4<<20, gap.Bytes)
	relay.stop()
}

// TestPrivateFolderIsRemoved removes the relay's private folder while a QEMU prints. New clients
// cannot connect, but every byte is kept, and a second relay cannot open the journal. After the
// end of QEMU the relay ends, so that the next one creates the folder.
func TestPrivateFolderIsRemoved(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	writeSettings(t, `"retentionMiB": 1024`)
	relay := startRelay(t, "serial")
	lock := lockSerial(t, relay)
	defer lock.Close()
	const size = 32 << 20
	ended := startPrinting(t, printJob{privatePath(t, "serial", "vm.out"), "serial", 0, size, 16 << 20, true})
	last := string(appendLine(nil, "serial", 0, size/lineBytes-1))
	before := harness.NewClient("attached before", 0, last)
	before.Dial(t, "unix", publicPath(t, "serial", "sock"))
	awaitBytes(t, before, 1<<20)
	relay.ending.Store(true)
	folder := filepath.Dir(privatePath(t, "serial", "vm.out"))
	err := os.RemoveAll(folder)
	for late := time.Now().Add(harness.WaitLimit); err != nil; err = os.RemoveAll(folder) { // the relay may recreate its control socket meanwhile
		if time.Now().After(late) {
			t.Fatal(err)
		}
	}
	after := harness.NewClient("attached after", 0, last)
	after.Dial(t, "unix", publicPath(t, "serial", "sock"))
	second := harness.Start(t, harness.DemoProgram(t, "qemu-relay"), "serve", "serial")
	if status := second.Status(); status != 1 {
		t.Errorf("a second relay: status %d", status)
	}
	second.Expect(`another process is writing to it`, 1)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, reader := range []*harness.Client{before, after} {
		select {
		case <-reader.Seen:
		case <-reader.Ended: // with the relay, after the last line
		case <-time.After(harness.WaitLimit):
			t.Fatalf("%s: %d bytes", reader.Kind, len(reader.Got()))
		}
		if err := openJournal(t, "serial").compare(0, reader.Got()); err != nil || len(reader.Got()) != size {
			t.Errorf("%s: %d bytes: %v", reader.Kind, len(reader.Got()), err)
		}
	}
	select {
	case <-relay.ended:
	case <-time.After(harness.WaitLimit):
		t.Fatal("the relay is still running")
	}
	if text := relay.stderr.String(); relay.run.ProcessState.ExitCode() != 1 || !strings.Contains(text, "files of the relay were removed") {
		t.Errorf("%v: %s", relay.run.ProcessState, text)
	}
	relay.start()
	if state := channelStatus(t, "serial"); state.End != size || len(state.Gaps) > 0 {
		t.Errorf("%+v", state)
	}
	relay.stop()
	checkJournal(t, "serial", []int64{size})
}

// awaitBytes waits until a client has received a number of bytes.
func awaitBytes(t *testing.T, reader *harness.Client, bytes int) {
	t.Helper()
	for late := time.Now().Add(harness.WaitLimit); len(reader.Got()) < bytes; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%s: %d bytes", reader.Kind, len(reader.Got()))
		}
	}
}
