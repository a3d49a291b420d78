package relay

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// TestFullFIFO prints on hvc0 of a real guest while the relay is stopped, until the FIFO is full.
// QEMU drops what does not fit, and the status shows at which offset. No other byte is missing.
func TestFullFIFO(t *testing.T) {
	const (
		last = 40_000
		page = 4096 // bytes; the last page of a full FIFO may still have space
	)
	harness.OwnFolders(t)
	writeSettings(t, `"channels": {"console": {}}`)
	relay := startRelay(t, append([]string{"console"}, channels...)...)
	vm := harness.Start(t, harness.DemoProgram(t, "run-qemu"), guestArgs(t)...)
	terminal := harness.Shell(t, publicPath(t, "console", "sock"))
	fifo := openFIFO(t, privatePath(t, "console", "vm.out"))
	setPipeSize(t, fifo, 64<<10) // to fill it soon
	terminal.Send(fmt.Sprintf("seq 1 %d >/tmp/lines; echo 1 >/proc/sys/kernel/printk; stty -echo; "+
		"echo begin-$((63*47)); cat /tmp/lines; read x; echo end-$((63*47))\n", last))
	terminal.Expect(strings.TrimSpace(harness.LinesBegin), 1)
	relay.run.Process.Signal(syscall.SIGSTOP)
	awaitFull(t, fifo)
	relay.run.Process.Signal(syscall.SIGCONT)
	for late := time.Now().Add(harness.WaitLimit); len(channelStatus(t, "console").Gaps) == 0 && time.Now().Before(late); {
		time.Sleep(time.Millisecond)
	}
	setPipeSize(t, fifo, fifoHolds) // so that the end is not dropped too
	terminal.Send("\n")
	terminal.Expect(strings.TrimSpace(harness.LinesEnd), 1)
	state := channelStatus(t, "console")
	status := harness.Must(t, harness.Root, harness.DemoProgram(t, "qemu-relay"), "status", "console")
	vm.Cmd.Process.Signal(os.Interrupt)
	vm.Status()
	relay.stop()

	text := readJournal(t, "console")
	start, end := int64(bytes.Index(text, []byte(harness.LinesBegin))+len(harness.LinesBegin)), int64(bytes.LastIndex(text, []byte(harness.LinesEnd)))
	var printed []byte
	for number := range last {
		printed = fmt.Appendf(printed, "%d\r\n", number+1)
	}
	if end-start >= int64(len(printed)) || len(state.Gaps) == 0 {
		t.Fatalf("%d bytes of %d kept, gaps %+v: nothing was dropped", end-start, len(printed), state.Gaps)
	}
	rest, at := printed, start
	for _, gap := range state.Gaps {
		if words := fmt.Sprintf("console: bytes may have been lost at offset %d (%s)\n", gap.Offset, gap.Cause); !strings.Contains(status, words) {
			t.Errorf("the status lacks %q:\n%s", words, status)
		}
		rest, at = after(t, rest, text[at:max(at, gap.Offset-page)]), gap.Offset
	}
	if rest = after(t, rest, text[at:end]); at < end && len(rest) > 0 {
		t.Errorf("the last %d bytes are missing", len(rest))
	}
	t.Logf("%d bytes printed, %d kept, %d places reported", len(printed), end-start, len(state.Gaps))
}

// after returns the part of printed after kept, which must be in it.
func after(t *testing.T, printed, kept []byte) []byte {
	t.Helper()
	at := bytes.Index(printed, kept)
	if at < 0 {
		t.Fatalf("bytes are missing that are not reported: %.100q … is not a part of the output", kept)
	}
	return printed[at+len(kept):]
}

func openFIFO(t *testing.T, path string) *os.File {
	t.Helper()
	fifo, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fifo.Close() })
	return fifo
}

// setPipeSize sets the size of a FIFO.
func setPipeSize(t *testing.T, fifo *os.File, bytes uintptr) {
	t.Helper()
	const command = 1031 // F_SETPIPE_SZ
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fifo.Fd(), command, bytes); errno != 0 {
		t.Fatal(errno)
	}
}

// awaitFull waits until the number of bytes in a FIFO of 64 KiB has not changed for a second,
// although the guest prints.
func awaitFull(t *testing.T, fifo *os.File) {
	t.Helper()
	waiting := int32(0)
	for late := time.Now().Add(harness.WaitLimit); time.Now().Before(late); time.Sleep(time.Second) {
		now := bytesInFIFO(fifo)
		if now == waiting && now > 32<<10 {
			return
		}
		waiting = now
	}
	t.Fatalf("the FIFO is not full: %d bytes", waiting)
}
