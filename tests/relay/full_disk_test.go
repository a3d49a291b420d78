package relay

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

	"microvm-console/tests/internal/harness"
)

// lossNotice matches the notice to a client that bytes were lost.
var lossNotice = regexp.MustCompile(`\r\n\[(\d+) bytes were lost \(offset (\d+): write: ([a-z ]+)\)\]\r\n`)

// TestFullDisk prints on a channel while its disk is full. The guest is not stopped, the lost
// bytes are counted exactly and reported in the status and to each client, and the journal
// continues as soon as there is space.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if !harness.InOwnMounts(t) {
		return
	}
	state := smallState(t, harness.OwnFolders(t), "40m")
	filler := filepath.Join(state, "filler")
	fill := func() {
		if output, err := harness.Command(t, harness.Root, "dd", "if=/dev/zero", "of="+filler, "bs=4k"); err == nil {
			t.Fatalf("the disk is not full: %s", output)
		}
	}
	printInto(t, syscall.ENOSPC.Error(), fill, func() { os.Remove(filler) })
}

// TestFullQuota is TestFullDisk with a quota instead of a full disk.
func TestFullQuota(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("mkfs.btrfs"); err != nil {
		harness.Skip(t, "btrfs", "install btrfs-progs")
	}
	if !harness.InOwnMounts(t) {
		return
	}
	state := quotaState(t, harness.OwnFolders(t))
	limit := func(size string) func() {
		return func() { harness.Must(t, harness.Root, "btrfs", "qgroup", "limit", size, state) }
	}
	printInto(t, syscall.EDQUOT.Error(), limit("6M"), limit("none"))
}

// printInto prints on a channel before the journal's file system is filled, while it is full,
// and when there is space again. cause is the error of writes to it.
func printInto(t *testing.T, cause string, fill, free func()) {
	t.Helper()
	writeSettings(t, `"retentionMiB": 1024`)
	relay := startRelay(t, "serial")
	lock := lockSerial(t, relay)
	defer lock.Close()
	last := string(appendLine(nil, "serial", 2, 4<<20/lineBytes-1))
	reader := harness.NewClient("Unix socket", 0, last)
	reader.Dial(t, "unix", publicPath(t, "serial", "sock"))

	printAndWait(t, printJob{privatePath(t, "serial", "vm.out"), "serial", 0, 4 << 20, 0, true})
	if kept := awaitPrinted(t, 4<<20); len(kept.Gaps) > 0 {
		t.Errorf("%+v", kept)
	}
	fill()
	printAndWait(t, printJob{privatePath(t, "serial", "vm.out"), "serial", 1, 8 << 20, 0, true})
	full := awaitPrinted(t, 12<<20)
	if full.Gaps == nil || full.lost() < 6<<20 || full.lost() > 8<<20 {
		t.Errorf("%+v", full)
	}
	text := harness.Must(t, harness.Root, harness.DemoProgram(t, "qemu-relay"), "status", "serial")
	gap := full.Gaps[len(full.Gaps)-1]
	if words := fmt.Sprintf("%d bytes were lost at offset %d (write: %s)", gap.Bytes, gap.Offset, cause); !strings.Contains(text, words) {
		t.Errorf("qemu-relay status lacks %q:\n%s", words, text)
	}
	free()
	printAndWait(t, printJob{privatePath(t, "serial", "vm.out"), "serial", 2, 4 << 20, 0, true})
	again := awaitPrinted(t, 16<<20)
	if again.lost() != full.lost() || again.End <= full.End {
		t.Errorf("full: %+v, then with space: %+v", full, again)
	}
	select {
	case <-reader.Seen:
	case err := <-reader.Ended:
		t.Fatal(err)
	case <-time.After(harness.WaitLimit):
		t.Fatal("the reader has not received the last line")
	}
	checkLosses(t, again, cause, reader.Got())
	relay.killAndRestart()
	if after := channelStatus(t, "serial"); after.End != again.End || after.lost() != again.lost() {
		t.Errorf("after a restart: %+v, before it: %+v", after, again)
	}
	t.Logf("%d bytes printed, %d kept, %d lost in %d gaps", 16<<20, again.End, again.lost(), len(again.Gaps))
}

// awaitPrinted waits until printed bytes are kept or lost, and returns the state of the serial
// channel.
func awaitPrinted(t *testing.T, printed int64) relayStatus {
	t.Helper()
	for late := time.Now().Add(harness.WaitLimit); ; time.Sleep(time.Millisecond) {
		state := channelStatus(t, "serial")
		if state.End+state.lost() == printed {
			return state
		}
		if time.Now().After(late) {
			t.Fatalf("%d bytes printed, but %+v", printed, state)
		}
	}
}

// checkLosses reports an error unless a reader has received everything that was printed except
// the gaps, and a notice of each gap with its cause.
func checkLosses(t *testing.T, state relayStatus, cause string, got []byte) {
	t.Helper()
	var all []byte
	for boot, size := range []int{4 << 20, 8 << 20, 4 << 20} {
		for number := range size / lineBytes {
			all = appendLine(all, "serial", boot, number)
		}
	}
	offset := int64(0)
	for _, gap := range state.Gaps {
		place := lossNotice.FindSubmatchIndex(got)
		if place == nil {
			t.Fatalf("no notice of the gap %+v", gap)
		}
		before := got[:place[0]]
		bytesLost, at := string(got[place[2]:place[3]]), string(got[place[4]:place[5]])
		if why := string(got[place[6]:place[7]]); why != cause || gap.Cause != "write: "+cause {
			t.Errorf("the notice has the cause %q, the gap %q, want %q", why, gap.Cause, cause)
		}
		if bytesLost != strconv.FormatInt(gap.Bytes, 10) || at != strconv.FormatInt(gap.Offset, 10) {
			t.Errorf("the notice is %q, the gap %+v", got[place[0]:place[1]], gap)
		}
		if int64(len(before)) != gap.Offset-offset || !bytes.HasPrefix(all, before) {
			t.Errorf("the %d bytes before the gap %+v are not those from offset %d", len(before), gap, offset)
		}
		offset, got = gap.Offset, got[place[1]:]
		all = all[min(int64(len(all)), int64(len(before))+gap.Bytes):]
	}
	if !bytes.Equal(got, all) {
		t.Errorf("%d bytes after the last gap, want %d", len(got), len(all))
	}
}
