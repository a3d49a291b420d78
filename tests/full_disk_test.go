package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// told is a notice to a client that bytes are missing, and why.
var told = regexp.MustCompile(`\r\n\[(\d+) bytes were lost \(offset (\d+): write: ([a-z ]+)\)\]\r\n`)

// A channel prints while somebody fills the disk: the guest is never stopped; what
// could not be kept is counted exactly, told to who asks and to who reads; and with
// the space, the journal goes on.
func TestFullDisk(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	state := smallState(t, private(t), "40m")
	filler := filepath.Join(state, "somebody")
	fill := func() {
		if output, err := command(t, root, "dd", "if=/dev/zero", "of="+filler, "bs=4k"); err == nil {
			t.Fatalf("the disk is not full: %s", output)
		}
	}
	printInto(t, syscall.ENOSPC.Error(), fill, func() { os.Remove(filler) })
}

// The same where it is not the disk that is full, but a quota.
func TestFullQuota(t *testing.T) {
	if _, err := exec.LookPath("mkfs.btrfs"); err != nil {
		skip(t, "btrfs", "install btrfs-progs")
	}
	if !ownMounts(t) {
		return
	}
	state := quotaState(t, private(t))
	limit := func(size string) func() {
		return func() { must(t, root, "btrfs", "qgroup", "limit", size, state) }
	}
	printInto(t, syscall.EDQUOT.Error(), limit("6M"), limit("none"))
}

// printInto has a channel print before the journal's file system is filled, then, and
// when there is space again. cause is why it cannot be written to.
func printInto(t *testing.T, cause string, fill, free func()) {
	t.Helper()
	setUp(t, `"retentionMiB": 1024`)
	relay := serving(t, "serial")
	seat := sit(t, relay)
	defer seat.Close()
	last := string(appendLine(nil, "serial", 2, 4<<20/lineBytes-1))
	reader := newClient("Unix socket", 0, last)
	reader.dial(t, "unix", publicPath(t, "serial", "sock"))

	printAll(t, printed{channelPath(t, "serial", "vm.out"), "serial", 0, 4 << 20, 0, true})
	if kept := drained(t, 4<<20); len(kept.Gaps) > 0 {
		t.Errorf("%+v", kept)
	}
	fill()
	printAll(t, printed{channelPath(t, "serial", "vm.out"), "serial", 1, 8 << 20, 0, true})
	full := drained(t, 12<<20)
	if full.Gaps == nil || full.lost() < 6<<20 || full.lost() > 8<<20 {
		t.Errorf("%+v", full)
	}
	text := must(t, root, program(t, "qemu-relay"), "status", "serial")
	gap := full.Gaps[len(full.Gaps)-1]
	if words := fmt.Sprintf("%d bytes are missing at offset %d (write: %s)", gap.Bytes, gap.Offset, cause); !strings.Contains(text, words) {
		t.Errorf("qemu-relay status does not tell %q:\n%s", words, text)
	}
	free()
	printAll(t, printed{channelPath(t, "serial", "vm.out"), "serial", 2, 4 << 20, 0, true})
	again := drained(t, 16<<20)
	if again.lost() != full.lost() || again.End <= full.End {
		t.Errorf("%+v, and with space %+v", full, again)
	}
	select {
	case <-reader.seen:
	case err := <-reader.ended:
		t.Fatal(err)
	case <-time.After(waitLimit):
		t.Fatal("the reader does not get the last line")
	}
	checkLosses(t, again, cause, reader.got())
	relay.restart()
	if after := stateOf(t, "serial"); after.End != again.End || after.lost() != again.lost() {
		t.Errorf("after a restart %+v, before it %+v", after, again)
	}
	t.Logf("%d bytes printed, %d kept, %d lost in %d gaps", 16<<20, again.End, again.lost(), len(again.Gaps))
}

// drained is the state of the serial channel once so many bytes are kept or lost.
func drained(t *testing.T, printed int64) channelState {
	t.Helper()
	for late := time.Now().Add(waitLimit); ; time.Sleep(time.Millisecond) {
		state := stateOf(t, "serial")
		if state.End+state.lost() == printed {
			return state
		}
		if time.Now().After(late) {
			t.Fatalf("%d bytes printed, but %+v", printed, state)
		}
	}
}

// checkLosses wants a reader to have got all three prints but the gaps, and to
// have been told just those, and their cause.
func checkLosses(t *testing.T, state channelState, cause string, got []byte) {
	t.Helper()
	var all []byte
	for boot, size := range []int{4 << 20, 8 << 20, 4 << 20} {
		for number := range size / lineBytes {
			all = appendLine(all, "serial", boot, number)
		}
	}
	offset := int64(0)
	for _, gap := range state.Gaps {
		place := told.FindSubmatchIndex(got)
		if place == nil {
			t.Fatalf("no notice of %+v", gap)
		}
		before := got[:place[0]]
		bytesLost, at := string(got[place[2]:place[3]]), string(got[place[4]:place[5]])
		if why := string(got[place[6]:place[7]]); why != cause || gap.Cause != "write: "+cause {
			t.Errorf("the notice is of %q, the gap of %q, want %q", why, gap.Cause, cause)
		}
		if bytesLost != strconv.FormatInt(gap.Bytes, 10) || at != strconv.FormatInt(gap.Offset, 10) {
			t.Errorf("the notice is %q, of %+v", got[place[0]:place[1]], gap)
		}
		if int64(len(before)) != gap.Offset-offset || !bytes.HasPrefix(all, before) {
			t.Errorf("%d bytes before the gap %+v, which are not those from %d on", len(before), gap, offset)
		}
		offset, got = gap.Offset, got[place[1]:]
		all = all[min(int64(len(all)), int64(len(before))+gap.Bytes):]
	}
	if !bytes.Equal(got, all) {
		t.Errorf("%d bytes behind the last gap, want %d", len(got), len(all))
	}
}
