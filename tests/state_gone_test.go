package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A relay that cannot write its journal does not start, and says so in one line.
func TestReadOnlyState(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	state := smallState(t, private(t), "1m")
	must(t, root, "mount", "-o", "remount,ro", state)
	setUp(t, `"retentionMiB": 16`)
	relay := start(t, program(t, "qemu-relay"), "serve", "serial")
	if status := relay.status(); status != 1 {
		t.Errorf("status %d", status)
	}
	text, _ := relay.look()
	want := "qemu-relay: channel \"serial\": mkdir " + state + "/qemu-relay: read-only file system"
	if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, want) {
		t.Errorf("it says %q, want %q", text, want)
	}
	if _, err := os.Lstat(publicPath(t, "serial", "sock")); err == nil {
		t.Error("it has left a socket")
	}
}

// Somebody removes the journal's folder while a channel prints: what was in it is
// a gap, and the journal goes on.
func TestJournalIsRemoved(t *testing.T) {
	private(t)
	setUp(t, `"retentionMiB": 1024`)
	relay := serving(t, "serial")
	seat := sit(t, relay)
	defer seat.Close()
	order := printed{channelPath(t, "serial", "vm.out"), "serial", 0, 1 << 20, 0, true}
	printAll(t, order)
	drained(t, 1<<20)
	if err := os.RemoveAll(journalOf(t, "serial")); err != nil {
		t.Fatal(err)
	}
	for boot := 1; boot < 4; boot++ {
		order.boot = boot
		printAll(t, order)
	}
	state := stateOf(t, "serial")
	if len(state.Gaps) != 1 || state.End != 4<<20 {
		t.Fatalf("%+v", state)
	}
	gap := state.Gaps[0]
	if gap.Offset != 0 || !strings.Contains(gap.Cause, "their file was removed") {
		t.Errorf("%+v", gap)
	}
	text := must(t, root, program(t, "qemu-relay"), "status", "serial")
	if !strings.Contains(text, "bytes are missing at offset 0 (their file was removed)") {
		t.Error(text)
	}
	var all strings.Builder
	for boot := range 4 {
		for number := range 1 << 20 / lineBytes {
			all.Write(appendLine(nil, "serial", boot, number))
		}
	}
	if kept := must(t, root, program(t, "qemu-relay"), "log", "serial"); kept != all.String()[gap.Bytes:] {
		t.Errorf("%d bytes are in the log, want %d", len(kept), 4<<20-gap.Bytes)
	}
	t.Logf("%d bytes printed, %d of them gone with the folder", 4<<20, gap.Bytes)
	relay.end()
}

// The relay's private folder is removed while a QEMU prints: no client finds the
// relay any more, but what is there is kept to its last byte, and no second relay
// gets at the journal. Then the relay ends, so that another one makes all again.
func TestPrivateFolderIsRemoved(t *testing.T) {
	private(t)
	setUp(t, `"retentionMiB": 1024`)
	relay := serving(t, "serial")
	seat := sit(t, relay)
	defer seat.Close()
	const size = 32 << 20
	ended := printBeside(t, printed{channelPath(t, "serial", "vm.out"), "serial", 0, size, 16 << 20, true})
	last := string(appendLine(nil, "serial", 0, size/lineBytes-1))
	before := newClient("who was there", 0, last)
	before.dial(t, "unix", publicPath(t, "serial", "sock"))
	awaitBytes(t, before, 1<<20)
	relay.ending.Store(true)
	folder := filepath.Dir(channelPath(t, "serial", "vm.out"))
	err := os.RemoveAll(folder)
	for late := time.Now().Add(waitLimit); err != nil; err = os.RemoveAll(folder) { // the relay may make its control socket again meanwhile
		if time.Now().After(late) {
			t.Fatal(err)
		}
	}
	after := newClient("who came then", 0, last)
	after.dial(t, "unix", publicPath(t, "serial", "sock"))
	second := start(t, program(t, "qemu-relay"), "serve", "serial")
	if status := second.status(); status != 1 {
		t.Errorf("a second relay: status %d", status)
	}
	second.expect(`another process writes it`, 1)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, reader := range []*client{before, after} {
		select {
		case <-reader.seen:
		case <-reader.ended: // with the relay, behind the last line
		case <-time.After(waitLimit):
			t.Fatalf("%s: %d bytes", reader.kind, len(reader.got()))
		}
		if err := newKept(t, "serial").compare(0, reader.got()); err != nil || len(reader.got()) != size {
			t.Errorf("%s: %d bytes: %v", reader.kind, len(reader.got()), err)
		}
	}
	select {
	case <-relay.ended:
	case <-time.After(waitLimit):
		t.Fatal("the relay does not end")
	}
	if text := relay.stderr.String(); relay.run.ProcessState.ExitCode() != 1 || !strings.Contains(text, "files there were removed") {
		t.Errorf("%v: %s", relay.run.ProcessState, text)
	}
	relay.start()
	if state := stateOf(t, "serial"); state.End != size || len(state.Gaps) > 0 {
		t.Errorf("%+v", state)
	}
	relay.end()
	checkJournal(t, "serial", []int64{size})
}

// awaitBytes waits until a client has got so much.
func awaitBytes(t *testing.T, reader *client, bytes int) {
	t.Helper()
	for late := time.Now().Add(waitLimit); len(reader.got()) < bytes; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%s: %d bytes", reader.kind, len(reader.got()))
		}
	}
}
