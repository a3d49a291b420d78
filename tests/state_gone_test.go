package tests

import (
	"os"
	"strings"
	"testing"
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
	if _, err := os.Lstat(publicPath("serial", "sock")); err == nil {
		t.Error("it has left a socket")
	}
}

// Somebody removes the journal's folder while a channel prints: what was in it is
// a gap, and the journal goes on.
func TestJournalIsRemoved(t *testing.T) {
	private(t)
	setUp(t, `"retentionMiB": 1024`)
	relay := serving(t, "serial")
	seat := sit(t, relay, "serial")
	defer seat.Close()
	order := printed{channelPath("serial", "vm.out"), "serial", 0, 1 << 20, 0, true}
	printAll(t, order)
	drained(t, 1<<20)
	if err := os.RemoveAll(journalOf("serial")); err != nil {
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
	if gap.Offset != 0 || !strings.Contains(gap.Cause, "somebody has removed") {
		t.Errorf("%+v", gap)
	}
	text := must(t, root, program(t, "qemu-relay"), "status", "serial")
	if !strings.Contains(text, "bytes are missing at offset 0 (somebody has removed ") {
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
